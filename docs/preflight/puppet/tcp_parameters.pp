# A drop-in for sysctl.d that is put in place only if it is right for the host's
# kernel, and only on a host with which nothing is wrong.
class tcp_parameters (
  Hash[String, Variant[Integer, String]] $values = {
    'net.ipv4.tcp_keepalive_time' => 600,
    'net.ipv4.tcp_synack_retries' => 4,
  },
) {
  $drop_in = '/etc/sysctl.d/90-tcp.conf'
  $path    = ['/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

  # Runs, and fails with a line for each finding, only if there are any.
  exec { 'tcptune check':
    command => 'tcptune check --format nagios',
    unless  => 'tcptune check',
    path    => $path,
  }

  file { $drop_in:
    content      => $values.map |$key, $value| { "${key} = ${value}\n" }.join,
    mode         => '0644',
    validate_cmd => "/usr/local/bin/tcptune lint --kernel ${facts['kernelrelease']} --name ${drop_in} %",
    require      => Exec['tcptune check'],
  }

  exec { "sysctl -p ${drop_in}":
    path        => $path,
    refreshonly => true,
    subscribe   => File[$drop_in],
  }
}
