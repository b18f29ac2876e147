package observe

import (
	"os"
	"testing"

	"github.com/tcptune/tcptune/advisor/observe/crowd"
)

func TestMain(m *testing.M) {
	crowd.Main()
	os.Exit(m.Run())
}
