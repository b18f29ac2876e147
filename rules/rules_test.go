package rules_test

import (
	"testing"

	"github.com/tcptune/tcptune/rules"
)

func TestExamplesOfBuiltInRules(t *testing.T) {
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range set.All() {
		t.Run(r.Name, func(t *testing.T) {
			for _, fault := range r.Test() {
				t.Error(fault)
			}
		})
	}
}
