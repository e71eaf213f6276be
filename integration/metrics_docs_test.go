package integration

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	dashboardFile = "../examples/monitoring/dashboard.json"
	alertsFile    = "../examples/monitoring/alerts.yaml"
)

// perProcess are the labels whose values depend on the config, or on Prometheus.
var perProcess = []string{"pool", "upstream", "middleware", "instance"}

// The page of the metrics has all families that there are, with their labels and the values of these, and no others.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	families := startCaddy(t, everyMetric(t, freeAddr(t), greeters(t, 1)...)).metrics(t)
	kinds, values := readMetricsPage(string(page))
	for name, f := range families {
		var labels []string
		for _, label := range [...]string{"pool", "upstream", "middleware", "result", "reason", "direction", "state", "event", "answer"} {
			if len(f.labels[label]) > 0 {
				labels = append(labels, "`"+label+"`")
			}
		}
		if want := f.kind + " | " + strings.Join(labels, ", "); strings.TrimSpace(want) != kinds[name] {
			t.Errorf("%s is documented as %q, and is %q", name, kinds[name], want)
		}
		delete(kinds, name)
		for label, all := range f.labels {
			if slices.Contains(perProcess, label) {
				continue
			}
			got := slices.Clone(values[name+" "+label])
			slices.Sort(got)
			slices.Sort(all)
			if !slices.Equal(got, all) {
				t.Errorf("%s of %s is documented with %q, and has %q", label, name, got, all)
			}
			delete(values, name+" "+label)
		}
	}
	for name := range kinds {
		t.Errorf("%s is documented, and is not there", name)
	}
	for name := range values {
		t.Errorf("%s is documented, and is not there", name)
	}
}

// readMetricsPage returns what the tables of the page say: the type and the labels of each family, and the values of each label.
func readMetricsPage(text string) (kinds map[string]string, values map[string][]string) {
	kinds, values = make(map[string]string), make(map[string][]string)
	code := regexp.MustCompile("`([^`]+)`")
	ofValues, name, label := false, "", ""
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case cells[1] == "metric":
			ofValues = cells[2] == "label"
		case strings.HasPrefix(cells[1], "-"):
		case !ofValues:
			kinds[strings.Trim(cells[1], "`")] = strings.TrimSpace(cells[2] + " | " + cells[3])
		default:
			if cells[1] != "" {
				name, label = strings.Trim(cells[1], "`"), strings.Trim(cells[2], "`")
			}
			for _, value := range code.FindAllStringSubmatch(cells[3], -1) {
				values[name+" "+label] = append(values[name+" "+label], value[1])
			}
		}
	}
	return kinds, values
}

// The dashboard and the alerts ask for nothing that is not there.
func TestMonitoringExample(t *testing.T) {
	t.Parallel()
	families := startCaddy(t, everyMetric(t, freeAddr(t), greeters(t, 1)...)).metrics(t)
	asked := make(map[string]bool)
	for _, expr := range slices.Concat(dashboardQueries(t), alertQueries(t)) {
		checkQuery(t, expr, families, asked)
	}
	for name := range families {
		if !asked[name] && name != "caddy_sticky_authorize_answers_total" {
			t.Errorf("neither the dashboard nor an alert asks for %s", name)
		}
	}
}

func dashboardQueries(t *testing.T) (queries []string) {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Templating struct {
			List []struct{ Query any }
		}
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	ids := make(map[int]bool)
	for _, panel := range dashboard.Panels {
		if ids[panel.ID] || panel.Title == "" || panel.GridPos.X+panel.GridPos.W > 24 {
			t.Errorf("the panel %q has an ID, a title or a place that is wrong", panel.Title)
		}
		ids[panel.ID] = true
		if len(panel.Targets) == 0 && panel.Type != "row" {
			t.Errorf("the panel %q shows nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			queries = append(queries, target.Expr)
		}
	}
	for _, variable := range dashboard.Templating.List {
		if query, ok := variable.Query.(map[string]any); ok {
			queries = append(queries, query["query"].(string))
		}
	}
	if len(queries) < 20 {
		t.Errorf("the dashboard has %d queries only", len(queries))
	}
	return queries
}

func alertQueries(t *testing.T) (queries []string) {
	t.Helper()
	text, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../examples/monitoring/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("the alert %q lacks a severity, a summary or a description", rule.Alert)
			}
			if !strings.Contains(string(readme), "| `"+rule.Alert+"` |") {
				t.Errorf("the README does not tell of the alert %s", rule.Alert)
			}
			queries = append(queries, rule.Expr)
		}
	}
	if len(queries) < 8 {
		t.Errorf("there are %d alerts only", len(queries))
	}
	return queries
}

var (
	selector     = regexp.MustCompile(`(caddy_sticky_\w+)(?:\{([^}]*)\})?`)
	labelMatcher = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
	grouping     = regexp.MustCompile(`\b(?:by|without) \(([^)]*)\)`)
)

// checkQuery fails if a query of Prometheus selects a metric, a label or a value that is not there, and notes what it asks for.
func checkQuery(t *testing.T, expr string, families map[string]*scraped, asked map[string]bool) {
	t.Helper()
	if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
		t.Errorf("the brackets of %s do not match", expr)
	}
	labels := map[string]bool{"le": true, "instance": true}
	found := selector.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s asks for nothing of ours", expr)
	}
	for _, one := range found {
		f := familyOf(families, one[1])
		if f == nil {
			t.Errorf("%s: there is no %s", expr, one[1])
			continue
		}
		asked[baseOf(families, one[1])] = true
		for label := range f.labels {
			labels[label] = true
		}
		for _, m := range labelMatcher.FindAllStringSubmatch(one[2], -1) {
			checkMatcher(t, expr, f, m[1], m[3])
		}
	}
	for _, by := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(by[1], ",") {
			if label = strings.TrimSpace(label); !labels[label] {
				t.Errorf("%s: there is no label %s", expr, label)
			}
		}
	}
}

func checkMatcher(t *testing.T, expr string, f *scraped, label, value string) {
	t.Helper()
	if label == "instance" {
		return
	}
	if len(f.labels[label]) == 0 {
		t.Errorf("%s: there is no label %s", expr, label)
	}
	if slices.Contains(perProcess, label) {
		return
	}
	for one := range strings.SplitSeq(value, "|") {
		if !slices.Contains(f.labels[label], one) {
			t.Errorf("%s: %s has no value %s", expr, label, one)
		}
	}
}

// baseOf returns the family to which a name belongs: a histogram has three.
func baseOf(families map[string]*scraped, name string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, cut := strings.CutSuffix(name, suffix); cut && families[base] != nil && families[base].kind == "histogram" {
			return base
		}
	}
	return name
}

func familyOf(families map[string]*scraped, name string) *scraped {
	return families[baseOf(families, name)]
}
