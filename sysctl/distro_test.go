package sysctl

import "testing"

func TestDistributionsHaveKernels(t *testing.T) {
	for _, d := range distros {
		release(t, d.Kernel)
		if again, err := ParseDistro(d.Name); err != nil || again != d {
			t.Errorf("ParseDistro(%q) = %v, %v", d.Name, again, err)
		}
	}
	for text, want := range map[string]string{"RHEL 7": "rhel7", "centos-7": "rhel7", "Rocky9": "rhel9", "Ubuntu 22.04": "ubuntu22.04", "amzn2": "amazon2", "al2023": "amazon2023"} {
		if d, err := ParseDistro(text); err != nil || d.Name != want {
			t.Errorf("ParseDistro(%q) = %v, %v; want %s", text, d, err, want)
		}
	}
	for _, text := range []string{"", "rhel", "rhel77", "7", "windows11"} {
		if d, err := ParseDistro(text); err == nil {
			t.Errorf("ParseDistro(%q) = %v", text, d)
		}
	}
}
