package sticky

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestThreatModel sees to it that every line of the threat model names tests, and that they exist.
func TestThreatModel(t *testing.T) {
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([a-z0-9/-]+)\\.((?:Test|Fuzz)[A-Za-z0-9]+)`")
	rows := 0
	for i, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasSuffix(line, "| Shown by |") {
			continue
		}
		rows++
		tests := name.FindAllStringSubmatch(line, -1)
		if len(tests) == 0 || strings.Count(line[strings.LastIndex(strings.TrimSuffix(line, " |"), "|"):], "`") != 2*len(tests) {
			t.Errorf("line %d names no test, or something else than tests: %s", 1+i, line)
		}
		for _, test := range tests {
			if !hasTest(t, test[1], test[2]) {
				t.Errorf("line %d: the package %s has no %s", 1+i, test[1], test[2])
			}
		}
	}
	if rows < 20 {
		t.Errorf("only %d lines were found", rows)
	}
}

// hasTest reports whether the package in a folder, or the one in the root by its own name, has the test.
func hasTest(t *testing.T, folder, test string) bool {
	t.Helper()
	if folder == filepath.Base(module) {
		folder = "."
	}
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}
