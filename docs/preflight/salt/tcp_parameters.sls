# A drop-in for sysctl.d that is put in place only if it is right for the minion's
# kernel, and only on a minion with which nothing is wrong.
{% set drop_in = '/etc/sysctl.d/90-tcp.conf' %}
{% set values = salt['pillar.get']('tcp_parameters', {
     'net.ipv4.tcp_keepalive_time': 600,
     'net.ipv4.tcp_synack_retries': 4,
   }) %}

# Runs, and fails with a line for each finding, only if there are any.
tcptune check:
  cmd.run:
    - name: tcptune check --format nagios
    - unless: tcptune check

{{ drop_in }}:
  file.managed:
    - mode: '0644'
    - contents:
{%- for key, value in values.items() %}
      - {{ (key ~ ' = ' ~ value) | tojson }}
{%- endfor %}
    - check_cmd: tcptune lint --kernel {{ grains['kernelrelease'] }} --name {{ drop_in }}
    - require:
      - cmd: tcptune check

sysctl -p {{ drop_in }}:
  cmd.run:
    - onchanges:
      - file: {{ drop_in }}
