package main

import (
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/advisor/lint"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// described are the forms of JSON output by the names of their schemas, and the
// types that they are printed from.
var described = map[string]reflect.Type{
	"conf":              reflect.TypeFor[advisor.BootFiles](),
	"drift":             reflect.TypeFor[advisor.Drift](),
	"facts":             reflect.TypeFor[facts.Snapshot](),
	"facts-namespaces":  reflect.TypeFor[facts.Survey](),
	"history":           reflect.TypeFor[[]change.Record](),
	"lint":              reflect.TypeFor[lint.Report](),
	"namespaces":        reflect.TypeFor[advisor.Namespaces](),
	"plan":              reflect.TypeFor[advisor.Plan](),
	"plan-file":         reflect.TypeFor[advisor.PlanFile](),
	"report":            reflect.TypeFor[advisor.Report](),
	"result":            reflect.TypeFor[advisor.Applied](),
	"states":            reflect.TypeFor[advisor.States](),
	"states-namespaces": reflect.TypeFor[advisor.StatesByNamespace](),
	"watch":             reflect.TypeFor[advisor.Event](),
}

// schemaText reads docs/NAME.schema.json.
func schemaText(t *testing.T, name string) map[string]any {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + name + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, ok := parseJSON(t, string(text)).(map[string]any)
	if !ok {
		t.Fatalf("%s is not an object", name)
	}
	return doc
}

// compiled are all schemas, themselves checked against JSON Schema 2020-12.
func compiled(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	schemas := map[string]*jsonschema.Schema{}
	for name := range described {
		compiler := jsonschema.NewCompiler()
		compiler.AssertFormat()
		doc := schemaText(t, name)
		url, _ := doc["$id"].(string)
		if doc["$schema"] != "https://json-schema.org/draft/2020-12/schema" || filepath.Base(url) != name+".schema.json" {
			t.Errorf("%s: $schema is %v and $id %q", name, doc["$schema"], url)
		}
		if err := compiler.AddResource(url, doc); err != nil {
			t.Fatal(err)
		}
		schema, err := compiler.Compile(url)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		schemas[name] = schema
	}
	return schemas
}

func parseJSON(t *testing.T, text string) any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return doc
}

// printed is what a command line prints; its exit code must be one of those.
func printed(t *testing.T, codes []int, args ...string) string {
	t.Helper()
	var out, errs strings.Builder
	code := run(context.Background(), args, &app{in: strings.NewReader(""), out: &out, err: &errs})
	if !slices.Contains(codes, code) {
		t.Fatalf("tcptune %s: exit code %d, want one of %v\n%s", strings.Join(args, " "), code, codes, errs.String())
	}
	return out.String()
}

// matches runs a command line and validates what it prints.
func matches(t *testing.T, schemas map[string]*jsonschema.Schema, name string, codes []int, args ...string) string {
	t.Helper()
	text := printed(t, codes, args...)
	if err := schemas[name].Validate(parseJSON(t, text)); err != nil {
		t.Errorf("tcptune %s: %v\n%.2000s", strings.Join(args, " "), err, text)
	}
	return text
}

func snapshots(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/facts/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no snapshots: %v", err)
	}
	return files
}

// cookieless is a profile whose plan brings in a finding.
func cookieless(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cookieless.toml")
	text := "summary = \"s\"\n[[want]]\nkey = \"net.ipv4.tcp_syncookies\"\nexactly = 0\nwhy = \"w\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOutputOnSnapshotsMatchesTheSchemas(t *testing.T) {
	schemas := compiled(t)
	bad := cookieless(t)
	for _, file := range snapshots(t) {
		matches(t, schemas, "facts", []int{exitOK}, "facts", "--facts", file)
		matches(t, schemas, "report", []int{exitOK}, "check", "--facts", file, "--format", "json", "--fail-on", "never", "--behind-nat")
		matches(t, schemas, "drift", []int{exitOK}, "drift", "--facts", file, "--format", "json", "--all", "--profile", "highconn")
		for _, profile := range append(profiles.Names(), bad) {
			matches(t, schemas, "report", []int{exitOK}, "check", "--facts", file, "--format", "json", "--fail-on", "never", "--profile", profile)
			text := matches(t, schemas, "plan", []int{exitOK}, "plan", "--facts", file, "--format", "json", "--profile", profile)
			if profile == bad && strings.Contains(text, `"worse": []`) {
				t.Errorf("%s: the plan without cookies brings in nothing", file)
			}
		}
	}
}

// Every form of file, every kind of suppression, and a tree.
func TestLintMatchesTheSchema(t *testing.T) {
	schemas := compiled(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "etc/sysctl.d/50-a.conf")
	if err := os.MkdirAll(filepath.Dir(conf), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "# tcptune: ignore timewait/*: for a while\nnet.ipv4.tcp_tw_recycle = 1\nnet.core.somaxconn = 1\nnet.core.somaxconn = 2\nnonsense\nnet.ipv4.tcp_retries2 = 1000\n"
	for path, content := range map[string]string{
		conf: text, filepath.Join(dir, "vars.yml"): "sysctl_config:\n  net.ipv4.tcp_retries2: \"{{ retries }}\"\n", filepath.Join(dir, "broken.yml"): "sysctl: [",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := matches(t, schemas, "lint", []int{exitFindings}, "lint", "--kernel", "3.10", "--distro", "debian12", "--format", "json", dir)
	for _, part := range []string{`"by": "comment"`, "\"unread\": [\n    {", "\"skipped\": [\n    {", `"rule": "files/lines-disagree"`, "\"kernels\": [\n        \"6.1.0 (debian12)\"\n      ]"} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in:\n%s", part, got)
		}
	}
	matches(t, schemas, "lint", []int{exitFindings}, "lint", "--root", dir, "--format", "json")
	matches(t, schemas, "conf", []int{exitOK}, "conf", "--root", dir, "--format", "json")
}

// On the running kernel: a plan is applied, and comes off in parts.
func TestLiveOutputMatchesTheSchemas(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	schemas := compiled(t)
	ok := []int{exitOK}
	state, dropIn := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "90.conf")
	history := func(codes []int, want string) {
		t.Helper()
		if text := matches(t, schemas, "history", codes, "history", "--format", "json", "--state-dir", state); !strings.Contains(text, want) {
			t.Errorf("no %s in the history:\n%s", want, text)
		}
	}
	result := func(want string, args ...string) {
		t.Helper()
		codes := ok
		if want == `"left"` {
			codes = []int{exitFindings}
		}
		if text := matches(t, schemas, "result", codes, append(args, "--format", "json", "--state-dir", state)...); !strings.Contains(text, want) {
			t.Errorf("tcptune %s: no %s in:\n%s", strings.Join(args, " "), want, text)
		}
	}

	matches(t, schemas, "facts", ok, "facts")
	matches(t, schemas, "facts", ok, "facts", "--interval", "10ms", "--behind-nat")
	matches(t, schemas, "facts", ok, "facts", "--netns", inhabited(t, "7"))
	matches(t, schemas, "facts-namespaces", ok, "facts", "--netns", "all")
	for _, by := range facts.Breakdowns {
		matches(t, schemas, "states", ok, "states", "--by", string(by), "--format", "json")
		matches(t, schemas, "states-namespaces", ok, "states", "--by", string(by), "--netns", "all", "--format", "json")
	}
	matches(t, schemas, "report", ok, "check", "--format", "json", "--fail-on", "never", "--profile", "edge-proxy")
	matches(t, schemas, "report", ok, "check", "--format", "json", "--fail-on", "never", "--interval", "10ms")
	matches(t, schemas, "drift", ok, "drift", "--format", "json")
	matches(t, schemas, "conf", ok, "conf", "--loader", "both", "--format", "json")
	matches(t, schemas, "namespaces", ok, "check", "--netns", "all", "--format", "json", "--fail-on", "never")
	matches(t, schemas, "plan", ok, "plan", "--profile", "highconn", "--format", "json")
	matches(t, schemas, "plan", ok, "plan", "--profile", "highconn", "--format", "json", "--persist", "--drop-in", dropIn)
	kept := filepath.Join(t.TempDir(), "kept.plan")
	printed(t, ok, "plan", "--profile", "highconn", "--persist", "--drop-in", dropIn, "--out", kept)
	if err := schemas["plan-file"].Validate(parseJSON(t, readText(t, kept))); err != nil {
		t.Errorf("the plan's file: %v\n%s", err, readText(t, kept))
	}
	matches(t, schemas, "plan", ok, "apply", "--profile", cookieless(t), "--dry-run", "--format", "json")
	history(ok, "")

	result(`"written"`, "apply", "--profile", "highconn", "--yes", "--reason", "OPS-1234")
	result(`"state": "unchanged"`, "apply", "--profile", "highconn", "--yes")
	result(`"outcome": "written"`, "apply", "--profile", "highconn", "--yes", "--persist", "--drop-in", dropIn)
	history(ok, dropIn)
	result(`"dry_run": true`, "rollback", "--dry-run")
	result(`"outcome": "removed"`, "rollback")
	if err := os.WriteFile("/proc/sys/net/core/somaxconn", []byte("9999"), 0); err != nil {
		t.Fatal(err)
	}
	result(`"left"`, "rollback")
	history(ok, `"left"`)

	if err := os.WriteFile(filepath.Join(state, "20260101T000000.000Z.json"), []byte("not JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	history([]int{exitUnreadable}, "20260101T000000.000Z")
}

// full are documents in which every field has a value, some of which no test can
// bring about.
func full(t *testing.T) map[string][]any {
	t.Helper()
	text := func(v any) any {
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return parseJSON(t, string(encoded))
	}
	file := snapshots(t)[0]
	id, at := "20261120T140000.000Z", time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	changes := change.Set{{Key: "net.core.somaxconn", From: "128", To: "16384", Because: "b"}}
	left := []change.Left{{Key: "net.core.somaxconn", Wanted: "128", Found: "9999", Why: "w"}}
	window, covered := &change.Window{Deadline: at, UptimeMS: 1, Confirmed: at}, map[sysctl.Key]string{"net.core.somaxconn": id}
	entry := change.Entry{Schema: change.Schema, ID: id, State: change.UndoFailed, Started: at, Applied: at, Ended: at,
		Identity: change.Identity{Boot: "b", Namespace: change.Namespace{Inode: 4026531840, Cookie: 1}},
		By:       change.Author{Login: "l", Sudo: "s", Terminal: "/dev/pts/1", PID: 1}, Reason: "r", Profile: "p", Changes: changes, Met: changes, Failure: "f", Left: left,
		Layer:  &change.Layer{Path: "/etc/sysctl.d/90-tcptune.conf", Settings: []change.Setting{{Key: "net.core.somaxconn", Value: "16384", Because: "b"}}, Alone: true, Replaced: []byte("b")},
		Window: window, Covered: covered,
		DropIn: &change.FileChange{Path: "/etc/sysctl.d/90-tcptune.conf", Before: []byte("b"), After: strings.Repeat("0f", 32)}}
	atBoot := advisor.AtBoot{Loader: "procps", Evidence: "e", Unread: "u", Unseen: []string{"/f"},
		Beaten: []advisor.Beaten{{Key: "net.core.somaxconn", Value: "16384", Holds: "128", File: "/f", Line: 1, Loader: "procps"}}}
	value, place := sysctl.Value("60"), facts.Place{File: "/f", Line: 1, Column: 1, EndColumn: 2, Text: "x"}
	boot := &facts.Boot{Loader: "procps", Evidence: "e", Ignored: []facts.BootFile{{Path: "/p", Unreadable: true, Reason: "r"}}}
	managers := []facts.Manager{{Name: "m", Evidence: []string{"e"}, Active: true, AtBoot: true, Rereads: true, When: "w", Also: "a",
		Sets: []facts.Hold{{Key: "net.core.somaxconn", Value: value, Bound: "at least", Doubt: "d", Container: true, Place: place}}}}
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	judged := advisor.Advise(factstest.BusyServer("6.12.95"), set, nil)
	onLine := judged.Findings[0]
	target := facts.Target{Source: "::1", Destination: "::2", Port: 443}
	spread := facts.Spread{Error: 1, Sockets: 1, Sample: &facts.Sample{Looked: 1, Of: 2}, Top: []facts.Target{target}}
	owners := []facts.Ownership{{State: facts.OwnedOrphan, Estimated: true, Reason: "r", Top: []facts.Owner{{Program: "p", Unit: "u", User: "0"}}}}
	listener := facts.Listener{Address: "::", Port: 80, SynRecv: new(int64(1)), Program: "p", Unit: "u", User: "0"}
	sockets := facts.Sockets{Source: facts.ByArithmetic, Approximate: true, IPv4: facts.StateCounts{}, IPv6: facts.StateCounts{}, EitherFamily: facts.StateCounts{"time_wait": 1}, Served: facts.StateCounts{"close_wait": 1},
		Listeners: []facts.Listener{listener}, Unseen: "u", Outbound: spread, SynSent: spread, Owners: owners}
	onLine.Places, onLine.Kernels = []facts.Place{place}, []string{"6.12"}
	skipped := []facts.SkippedNamespace{{Name: "web", ID: "net:[2]", Reason: "r"}}
	namespaces := advisor.Compare(&facts.Survey{Namespaces: []facts.Surveyed{{Snapshot: factstest.BusyServer("6.12.95")}}, Skipped: skipped}, set, nil)
	namespaces.Namespaces = []advisor.NamespaceReport{{Name: "docker 0123456789ab", ID: "net:[1]", Processes: 1, Sockets: 1, Findings: judged.Findings[:1], Inconclusive: judged.Inconclusive[:1],
		Differs: []advisor.NamespaceDifference{{Key: "net.core.somaxconn", Value: value, Host: value}}}}
	namespaces.Host.Turnover = onLine.Evidence
	return map[string][]any{
		"conf": {text(advisor.BootFiles{Schema: advisor.BootFilesSchema, Loaders: []advisor.BootLoader{{Loader: "procps", InUse: true, Evidence: "e",
			Files:    []advisor.LoaderFile{{Path: "/f", Target: "/t", Status: "hidden", Reason: "r"}},
			Settings: []advisor.BootSetting{{Key: "net.core.somaxconn", Definitions: []advisor.BootDefinition{{File: "/f", Line: 1, Value: value, Pattern: "net.*.x", Lenient: true, Loses: "l"}}}},
			Findings: []advisor.Finding{onLine}}}})},
		"lint": {text(lint.Report{Schema: lint.ReportSchema, Kernels: []string{"6.12"}, Files: 1, Findings: []advisor.Finding{onLine},
			Suppressed: []advisor.Suppressed{{Finding: onLine, By: "comment", Reason: "r"}}, Unread: []lint.Remark{{Place: place, Reason: "r"}}, Skipped: []lint.Remark{{Place: place, Reason: "r"}}})},
		"drift": {text(advisor.Drift{Schema: advisor.DriftSchema, Kernel: sysctl.Release{Major: 6, Minor: 12}, Namespace: facts.Namespace{ID: "net:[1]"}, Boot: boot, Profile: "p",
			Parameters: []advisor.DriftParameter{{Future: facts.Future{Key: "net.core.somaxconn", Running: value, Next: &value, From: "f", Doubt: "d", Default: &value, Drift: facts.Lost}, Wanted: "at least 1", Met: true}},
			Managers:   managers, Unseen: []string{"u"}, Findings: judged.Findings[:1], Inconclusive: judged.Inconclusive[:1]})},
		"namespaces": {text(namespaces)},
		"watch":      {text(advisor.Event{Time: at, Change: advisor.Gone, Namespace: facts.Namespace{ID: "net:[1]", Name: "web"}, Finding: onLine})},
		"facts": {parseJSON(t, printed(t, []int{exitOK}, "facts", "--facts", file, "--behind-nat")),
			text(facts.Snapshot{Schema: facts.SchemaVersion, Version: "v", Kernel: sysctl.Release{Major: 6, Minor: 12}, Sysctls: map[sysctl.Key]facts.Reading{}, Boot: boot, Managers: managers, Sockets: &sockets,
				Asked:     []facts.Assignment{{Key: "net.core.somaxconn", Value: value, File: "/f", Line: 1, Column: 1, EndColumn: 2, Text: "x", Lenient: true, Loses: "l", LosesTo: &place, Malformed: "m", Unmatched: true, NoFile: true, Container: true}},
				Namespace: facts.Namespace{ID: "net:[1]", Name: "web"}, Window: &facts.Window{Seconds: 1, Increase: map[string]facts.Counters{}},
				Everywhere: &facts.Everywhere{Namespaces: 2, Unseen: 1, UnseenProcesses: 1, Sockets: 1, TimeWait: 1, Tracked: 1},
				NAT:        []facts.NATEvidence{}})},
		"plan": {parseJSON(t, printed(t, []int{exitOK}, "plan", "--facts", file, "--profile", cookieless(t), "--format", "json")),
			text(advisor.Plan{Schema: advisor.PlanSchema, Profile: "p", Steps: []advisor.Step{}, Skipped: []advisor.SkippedWant{}, Cautions: []string{}, Worse: []advisor.Finding{},
				FilesOnly: true, DropIn: &advisor.PlannedDropIn{Path: "/x", Before: new(string), After: "a", AtBoot: atBoot}})},
		"plan-file": {text(advisor.PlanFile{Schema: advisor.PlanFileSchema, Version: "v", Made: at, Kernel: sysctl.Release{Major: 6, Minor: 12}, Identity: entry.Identity, Profile: "p", Cautions: []string{"c"},
			Values: []advisor.PlannedValue{{Key: "net.core.somaxconn", Held: "128", To: "16384", Because: "b"}},
			DropIn: &advisor.PlannedFile{Path: "/x", Held: strings.Repeat("0f", 32)}, State: strings.Repeat("0f", 32)})},
		"report": {parseJSON(t, printed(t, []int{exitFindings}, "check", "--facts", file, "--profile", "highconn", "--format", "json"))},
		"result": {
			text(advisor.Applied{Result: change.Result{Schema: change.ResultSchema, ID: id, State: change.Applied, Written: changes, Same: changes,
				DropIn: &change.FileResult{Path: "/x", Outcome: change.FileWritten}}, AtBoot: &atBoot}),
			text(change.Result{Schema: change.ResultSchema, ID: id, State: change.RolledBack, Restored: changes, Same: changes, Left: left, Covered: covered, Window: window, Rebooted: true,
				DropIn: &change.FileResult{Path: "/x", Outcome: change.FileLeft, Why: "w"}}),
		},
		"facts-namespaces": {text(facts.Survey{Schema: facts.SurveySchema, Version: "v", Namespaces: []facts.Surveyed{{Processes: 1, Snapshot: factstest.BusyServer("6.12.95")}}, Skipped: skipped})},
		"states-namespaces": {text(advisor.StatesByNamespace{Schema: advisor.StatesByNamespaceSchema, Time: at, Skipped: skipped, UnseenProcesses: 1,
			Namespaces: []advisor.States{advisor.StatesOf(factstest.BusyServer("6.12.95"), facts.ByListener)}})},
		"states": {text(advisor.States{Schema: advisor.StatesSchema, Time: at, Kernel: sysctl.Release{Major: 6, Minor: 12}, Namespace: facts.Namespace{ID: "net:[1]"}, By: facts.ByState, From: "f",
			States: judged.States[:1], Listeners: []advisor.QueueRow{{Listener: listener, LimitedBy: "l"}}, Unseen: "u", SynSent: &spread, Orphans: 1, FinWait2Orphans: 1,
			Destinations: advisor.DestinationRows{Of: 1, Sample: &facts.Sample{Looked: 1, Of: 2}, Top: []advisor.DestinationRow{{Target: target, Unknown: "u"}}}, Programs: owners})},
		"history": {text([]change.Record{{Entry: entry, File: "/var/lib/tcptune/" + id + ".json", Now: &change.Now{Hold: 1, Left: left}}})},
	}
}

// A schema that takes anything proves nothing: wherever a document has a value,
// the schema refuses one of another kind, and a field that is not described.
func TestSchemasRefuseDocumentsSpoiledAnywhere(t *testing.T) {
	schemas := compiled(t)
	for name, docs := range full(t) {
		for _, doc := range docs {
			if err := schemas[name].Validate(doc); err != nil {
				t.Errorf("%s, not spoiled: %v", name, err)
				continue
			}
			spots := 0
			spoil(&doc, name, func(how string) {
				spots++
				if schemas[name].Validate(doc) == nil {
					t.Errorf("%s passes", how)
				}
			})
			if spots < 20 {
				t.Errorf("%s: only %d spots were spoiled", name, spots)
			}
		}
	}
}

// spoil calls try with one spot of a document after the other spoiled.
func spoil(spot *any, path string, try func(how string)) {
	whole := *spot
	*spot = "another kind of value"
	if _, isText := whole.(string); isText {
		*spot = json.Number("-7")
	}
	try(path + " of another kind")
	*spot = whole
	switch whole := whole.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(whole)) {
			value := whole[key]
			visit := value
			spoil(&visit, path+"."+key, func(how string) {
				whole[key] = visit
				try(how)
			})
			whole[key] = value
		}
		whole["surplus"] = nil
		try(path + " with a surplus field")
		delete(whole, "surplus")
	case []any:
		for i := range whole {
			spoil(&whole[i], fmt.Sprintf("%s[%d]", path, i), try)
		}
	}
}

func TestSchemasRefuseWrongDocuments(t *testing.T) {
	schemas := compiled(t)
	docs := full(t)
	for _, c := range []struct{ schema, old, new string }{
		{"report", `"schema":1`, `"schema":2`},
		{"report", `"severity":"warning"`, `"severity":"grave"`},
		{"report", `"confidence":"certain"`, `"confidence":"probable"`},
		{"report", `"state":"TIME-WAIT"`, `"state":"TIME_WAIT"`},
		{"report", `"window_seconds":0`, `"seconds":0`},
		{"report", `"met":`, `"met":-`},
		{"facts", `"schema":1`, `"schema":2`},
		{"facts", `"kernel":"`, `"kernel":"Linux `},
		{"facts", `"cause":"module not loaded"`, `"cause":"no idea"`},
		{"facts", `"close_wait":`, `"closewait":`},
		{"facts", `"port":443,`, `"port":65536,`},
		{"facts", `"sockets":{`, `"socket":{`},
		{"plan", `"acts":"at once"`, `"acts":"soon"`},
		{"plan", `"key":"net.ipv4.tcp_syncookies"`, `"key":""`},
		{"plan", `"worse":[`, `"better":[`},
		{"plan-file", `"held":"128"`, `"held":128`},
		{"plan-file", `"state":"0f`, `"state":"`},
		{"result", `"loader":"procps"`, `"loader":"busybox"`},
		{"result", `"state":"applied"`, `"state":"begun"`},
		{"result", `"state":"applied",`, ``},
		{"result", `"id":"20261120T140000.000Z"`, `"id":"2026-11-20"`},
		{"result", `"outcome":"written"`, `"outcome":"done"`},
		{"facts-namespaces", `"namespaces":[`, `"hosts":[`},
		{"facts-namespaces", `"processes":1`, `"processes":-2`},
		{"states-namespaces", `"time":"2026-11-20T14:00:00Z"`, `"time":"now"`},
		{"states-namespaces", `"limited_by":`, `"limit":`},
		{"namespaces", `"host_wide":[`, `"hostwide":[`},
		{"watch", `"change":"gone"`, `"change":"went"`},
		{"watch", `"time":"2026-11-20T14:00:00Z"`, `"time":"now"`},
		{"history", `"schema":2`, `"schema":3`},
		{"history", `"started":"2026-11-20T14:00:00Z"`, `"started":"yesterday"`},
		{"history", `"state":"undo failed"`, `"state":"lost"`},
		{"history", `"inode":4026531840`, `"inode":0`},
		{"history", `"after":"0f`, `"after":"`},
	} {
		encoded, err := json.Marshal(docs[c.schema][0])
		if err != nil {
			t.Fatal(err)
		}
		wrong := strings.Replace(string(encoded), c.old, c.new, 1)
		if wrong == string(encoded) {
			t.Errorf("%s: no %s in:\n%.3000s", c.schema, c.old, encoded)
		} else if schemas[c.schema].Validate(parseJSON(t, wrong)) == nil {
			t.Errorf("%s: %s in place of %s passes", c.schema, c.new, c.old)
		}
	}
	for name, schema := range schemas {
		for _, wrong := range []string{`1`, `"x"`, `{"surplus":1}`, `[{}]`} {
			if schema.Validate(parseJSON(t, wrong)) == nil {
				t.Errorf("%s: %s passes", name, wrong)
			}
		}
	}
}

// Every field of the types stands in the schemas, described, and no other.
func TestSchemasHaveTheFieldsOfTheTypes(t *testing.T) {
	for name, typ := range described {
		root := schemaText(t, name)
		f := fields{t, root}
		f.compare(root, typ, name)
	}
}

// A definition of one name is the same in every schema that has it, so that each
// file can be used alone.
func TestSchemasShareTheirDefinitions(t *testing.T) {
	first := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(described)) {
		root := schemaText(t, name)
		defs, _ := root["$defs"].(map[string]any)
		text, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		for def, content := range defs {
			if diff := cmp.Diff(first[def], content); first[def] != nil && diff != "" {
				t.Errorf("%s: %s is another elsewhere:\n%s", name, def, diff)
			}
			first[def] = content
			if !strings.Contains(string(text), `"#/$defs/`+def+`"`) {
				t.Errorf("%s: nothing refers to %s", name, def)
			}
		}
	}
}

// fields compares a schema with Go types.
type fields struct {
	t    *testing.T
	root map[string]any
}

// resolve follows references, and of alternatives takes the first.
func (f fields) resolve(node map[string]any) (resolved map[string]any, description string) {
	description, _ = node["description"].(string)
	for {
		next := map[string]any(nil)
		if ref, ok := node["$ref"].(string); ok {
			next, _ = f.root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		} else if alternatives, ok := node["oneOf"].([]any); ok {
			next, _ = alternatives[0].(map[string]any)
		}
		if next == nil {
			return node, description
		}
		node = next
		if text, ok := node["description"].(string); ok && description == "" {
			description = text
		}
	}
}

func (f fields) compare(node map[string]any, typ reflect.Type, path string) {
	node, description := f.resolve(node)
	if strings.HasSuffix(path, "[]") || strings.HasSuffix(path, ".*") {
		description = path // the list or table tells what it holds
	}
	if description == "" || strings.Contains(description, "\n") {
		f.t.Errorf("%s: no description of one line, but %q", path, description)
	}
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if node["enum"] != nil || node["const"] != nil || node["type"] == "null" {
		return
	}
	kind := "object"
	switch {
	case typ.Implements(reflect.TypeFor[encoding.TextMarshaler]()), typ.Kind() == reflect.String, typ == reflect.TypeFor[[]byte]():
		kind = "string"
	case typ.Kind() == reflect.Slice:
		kind = "array"
		items, _ := node["items"].(map[string]any)
		f.compare(items, typ.Elem(), path+"[]")
	case typ.Kind() == reflect.Map:
		values, _ := node["additionalProperties"].(map[string]any)
		f.compare(values, typ.Elem(), path+".*")
	case typ.Kind() == reflect.Bool:
		kind = "boolean"
	case typ.Kind() == reflect.Float64:
		kind = "number"
	case typ.Kind() == reflect.Struct:
		f.object(node, typ, path)
	default:
		kind = "integer"
	}
	if nullable, ok := node["type"].([]any); ok && nullable[0] == kind && nullable[1] == "null" {
		return
	}
	if node["type"] != kind {
		f.t.Errorf("%s: is a %s and described as %v", path, kind, node["type"])
	}
}

func (f fields) object(node map[string]any, typ reflect.Type, path string) {
	properties, _ := node["properties"].(map[string]any)
	var names, always []string
	for _, field := range reflect.VisibleFields(typ) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			name = field.Name
		}
		if field.Anonymous || !field.IsExported() || name == "-" {
			continue
		}
		names = append(names, name)
		if !strings.Contains(options, "omit") {
			always = append(always, name)
		}
		if property, ok := properties[name].(map[string]any); ok {
			f.compare(property, field.Type, path+"."+name)
		}
	}
	var required []string
	for _, name := range node["required"].([]any) {
		required = append(required, name.(string))
	}
	slices.Sort(names)
	slices.Sort(always)
	slices.Sort(required)
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(properties))); diff != "" {
		f.t.Errorf("%s: fields that are printed (-) and described (+):\n%s", path, diff)
	}
	if diff := cmp.Diff(always, required); diff != "" {
		f.t.Errorf("%s: fields that are always there (-) and required (+):\n%s", path, diff)
	}
	if node["additionalProperties"] != false {
		f.t.Errorf("%s: takes fields that it does not describe", path)
	}
}

// Where a field holds one of several words the schema lists those of the source.
func TestSchemasListTheWordsOfTheSource(t *testing.T) {
	var states, keys []string
	for _, info := range tcpstate.All() {
		states, keys = append(states, info.Name), append(keys, info.Word)
	}
	for _, c := range []struct {
		schema, path string
		want         []string
	}{
		{"watch", "properties change enum", constants(t, "../../advisor", "Change")},
		{"report", "$defs severity enum", constants(t, "../../rules", "Severity")},
		{"report", "$defs finding properties confidence enum", constants(t, "../../advisor", "Confidence")},
		{"report", "$defs state properties state enum", states},
		{"facts", "$defs state_counts propertyNames enum", keys},
		{"facts", "$defs sockets properties source enum", constants(t, "../../advisor/facts", "SocketSource")},
		{"facts", "$defs ownership properties state enum", constants(t, "../../advisor/facts", "OwnedState")},
		{"states", "properties by enum", constants(t, "../../advisor/facts", "Breakdown")},
		{"states", "$defs state properties state enum", states},
		{"facts", "$defs cause enum", constants(t, "../../sysctl", "Cause")},
		{"facts", "properties gaps propertyNames enum", constants(t, "../../advisor/facts", "Part")},
		{"plan", "$defs step properties acts enum", constants(t, "../../sysctl", "Acts")},
		{"drift", "$defs parameter properties drift enum", constants(t, "../../advisor/facts", "Drift")},
		{"history", "$defs transaction_state enum", constants(t, "../../sysctl/change", "State")},
		{"result", "$defs drop_in properties outcome enum", constants(t, "../../sysctl/change", "FileOutcome")},
		{"result", "properties state enum", []string{string(change.Applied), string(change.Unconfirmed), string(change.RolledBack), string(change.Undone), string(change.UndoFailed), change.Unchanged}},
	} {
		spot := any(schemaText(t, c.schema))
		for _, key := range strings.Fields(c.path) {
			table, _ := spot.(map[string]any)
			spot = table[key]
		}
		var got []string
		list, _ := spot.([]any)
		for _, word := range list {
			got = append(got, fmt.Sprint(word))
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s: words of the source (-) and listed (+):\n%s", c.schema, c.path, diff)
		}
	}
}
