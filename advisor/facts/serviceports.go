package facts

import "fmt"

// A servicePort is a port, or a range of them, on which a widely used service
// listens by default. Clients that take such a port for a connection of their
// own keep the service from starting.
type servicePort struct {
	first, last int
	name        string
}

func (s servicePort) String() string {
	if s.first == s.last {
		return fmt.Sprintf("%d (%s)", s.first, s.name)
	}
	return fmt.Sprintf("%d-%d (%s)", s.first, s.last, s.name)
}

// servicePorts are those from 1024 up, by the IANA registry or by the default
// of the software itself. Ports above 32768 are left to the kernel's default
// range.
var servicePorts = []servicePort{
	{1433, 1433, "SQL Server"}, {1521, 1521, "Oracle"}, {1883, 1883, "MQTT"}, {2049, 2049, "NFS"},
	{2181, 2181, "ZooKeeper"}, {2375, 2377, "Docker"}, {2379, 2380, "etcd"}, {3128, 3128, "Squid"},
	{3260, 3260, "iSCSI"}, {3306, 3306, "MySQL"}, {3389, 3389, "RDP"}, {4222, 4222, "NATS"},
	{5432, 5432, "PostgreSQL"}, {5672, 5672, "AMQP"}, {6379, 6379, "Redis"}, {6443, 6443, "Kubernetes API"},
	{8080, 8080, "HTTP alternate"}, {8443, 8443, "HTTPS alternate"}, {8500, 8500, "Consul"}, {8883, 8883, "MQTT over TLS"},
	{9042, 9042, "Cassandra"}, {9090, 9090, "Prometheus"}, {9092, 9092, "Kafka"}, {9100, 9100, "node exporter"},
	{9200, 9200, "Elasticsearch"}, {10250, 10259, "Kubernetes components"}, {11211, 11211, "memcached"},
	{15672, 15672, "RabbitMQ"}, {27017, 27017, "MongoDB"}, {30000, 32767, "Kubernetes NodePorts"},
}
