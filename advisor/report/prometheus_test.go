package report

import (
	"strings"
	"testing"

	"github.com/tcptune/tcptune/rules"
)

func TestPrometheusTakesTheMetrics(t *testing.T) {
	check := func(text string) (string, error) {
		cmd := consumer(t, "promtool", "check", "metrics")
		cmd.Stdin = strings.NewReader(text)
		said, err := cmd.CombinedOutput()
		return string(said), err
	}
	for name, results := range allKinds(t) {
		if said, err := check(render(t, Prometheus, results)); err != nil || said != "" {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
	}
	text := render(t, Prometheus, lintResults(t))
	for old, wrong := range map[string]string{`rule="`: `rule="\z`, "# TYPE tcptune_findings gauge": "# TYPE tcptune_findings counter", "# HELP tcptune_info ": "# tcptune_info "} {
		spoiled := strings.Replace(text, old, wrong, 1)
		if said, err := check(spoiled); spoiled == text || err == nil {
			t.Errorf("%s in place of %s passes: %s", wrong, old, said)
		}
	}
}

// An alert on a severity needs its sample while there is nothing to count.
func TestPrometheusAlwaysHasEverySeverity(t *testing.T) {
	text := render(t, Prometheus, Results{Command: "drift", Version: "1"})
	for _, s := range rules.Severities {
		if want := `tcptune_findings{command="drift",severity="` + string(s) + `"} 0` + "\n"; !strings.Contains(text, want) {
			t.Errorf("no %s in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "tcptune_rule_findings") {
		t.Errorf("a metric without samples:\n%s", text)
	}
}
