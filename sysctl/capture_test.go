package sysctl

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// capture is a table of testdata: what kernels of several releases showed.
type capture struct {
	columns []string // without the first
	rows    []captureRow
}

type captureRow struct {
	name  string
	cells map[string]string // by column; absent for "-"
}

func readCapture(t testing.TB, name string) capture {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var c capture
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.Split(lines.Text(), "\t")
		if c.columns == nil {
			c.columns = fields[1:]
			continue
		}
		row := captureRow{fields[0], map[string]string{}}
		for i, cell := range fields[1:] {
			switch cell {
			case "-":
			case `""`:
				row.cells[c.columns[i]] = ""
			default:
				row.cells[c.columns[i]] = cell
			}
		}
		c.rows = append(c.rows, row)
	}
	if len(c.rows) < 5 {
		t.Fatalf("%s holds %d rows", name, len(c.rows))
	}
	return c
}

// row is the row of that name.
func (c capture) row(t testing.TB, name string) captureRow {
	t.Helper()
	for _, row := range c.rows {
		if row.name == name {
			return row
		}
	}
	t.Fatalf("no row %s", name)
	return captureRow{}
}

func release(t testing.TB, s string) Release {
	t.Helper()
	r, err := ParseRelease(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func lookup(t testing.TB, k Key) Param {
	t.Helper()
	p, known := Lookup(k)
	if !known {
		t.Fatalf("%s is not in the catalogue", k)
	}
	return p
}

// backports are parameters that long-term kernels took over from later ones:
// on these releases the file may be there or not.
var backports = map[Key]string{
	// in 5.10.262, not in 5.10.46
	"net.ipv4.tcp_migrate_req": ">= 5.10, < 5.14",
}

func backported(t testing.TB, k Key, r Release) bool {
	t.Helper()
	span, listed := backports[k]
	if !listed {
		return false
	}
	releases, err := ParseReleases(span)
	if err != nil {
		t.Fatal(err)
	}
	return releases.Contains(r)
}
