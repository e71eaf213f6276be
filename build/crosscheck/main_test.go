package main

import (
	"os"
	"strings"
	"testing"
)

// TestCheck finds what is wrong on one system only, in the code, in what functions do, and in tests.
func TestCheck(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"go.mod":          "module example.com/m\n\ngo 1.26\n",
		"m.go":            "package m\n\nimport \"io\"\n\nvar Reader io.Reader\n",
		"m_windows.go":    "package m\n\nfunc f() int { return unknown }\n",
		"m_test.go":       "package m\n\nimport \"testing\"\n\nfunc TestM(t *testing.T) { t.Log(notOnDarwin) }\n",
		"one_test.go":     "//go:build linux || windows\n\npackage m\n\nconst notOnDarwin = 1\n",
		"never_darwin.go": "package m\n\nimport \"nowhere\"\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	known := newFiles()
	for platform, want := range map[string][]string{
		"linux/arm64":   nil,
		"windows/amd64": {"undefined: unknown"},
		"darwin/amd64":  {"nowhere", "undefined: notOnDarwin"},
	} {
		problems, err := check(known, platform, "./...")
		if err != nil {
			t.Fatal(err)
		}
		if len(want) == 0 && len(problems) > 0 {
			t.Errorf("%s: %q, want nothing", platform, problems)
		}
		for _, text := range want {
			if !strings.Contains(strings.Join(problems, "\n"), text) {
				t.Errorf("%s: %q, want something about %q", platform, problems, text)
			}
		}
	}
	if _, err := check(known, "linux", "./..."); err == nil {
		t.Error("a platform without a machine is accepted")
	}
}
