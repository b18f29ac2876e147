// Package conf reads the files from which parameters are set at boot, as
// sysctl.d(5) and sysctl.conf(5) describe them.
package conf
