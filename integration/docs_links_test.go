package integration

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var link = regexp.MustCompile(`\]\(([^()\s]+)\)`)

// Every link from page to page leads to a file that is there, and to a heading that it has.
func TestLinks(t *testing.T) {
	links := 0
	for _, p := range readPages(t) {
		text := p.text
		for _, s := range p.snippets {
			text = strings.Replace(text, s.text, "", 1)
		}
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			target, err := url.Parse(found[1])
			if err != nil {
				t.Errorf("%s: %v", p.path, err)
				continue
			}
			if target.Scheme != "" {
				continue
			}
			links++
			path := filepath.Join("..", filepath.Dir(p.path), target.Path)
			if target.Path == "" {
				path = filepath.Join("..", p.path)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: the link %s leads nowhere: %v", p.path, found[1], err)
			} else if target.Fragment != "" && !hasAnchor(t, path, target.Fragment) {
				t.Errorf("%s: the link %s leads to no heading", p.path, found[1])
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links were found", links)
	}
}

// hasAnchor tells whether a page has a heading that GitHub gives this anchor.
func hasAnchor(t *testing.T, path, anchor string) bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		heading := strings.TrimLeft(line, "#")
		if heading != line && strings.Map(anchorRune, strings.ToLower(strings.TrimSpace(heading))) == anchor {
			return true
		}
	}
	return false
}

func anchorRune(r rune) rune {
	switch {
	case r == ' ':
		return '-'
	case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
		return r
	}
	return -1
}

// Every page of docs and every example can be reached from the README, by its links and by theirs.
func TestPagesAreLinked(t *testing.T) {
	reached := make(map[string]bool)
	byPath := make(map[string]page)
	for _, p := range readPages(t) {
		byPath[p.path] = p
	}
	for todo := []string{"README.md"}; len(todo) > 0; todo = todo[1:] {
		p, isPage := byPath[todo[0]]
		if !isPage || reached[p.path] {
			continue
		}
		reached[p.path] = true
		for _, found := range link.FindAllStringSubmatch(p.text, -1) {
			target, _, _ := strings.Cut(found[1], "#")
			path := filepath.ToSlash(filepath.Join(filepath.Dir(p.path), target))
			todo = append(todo, path, path+"/README.md")
		}
	}
	for path := range byPath {
		if !reached[path] {
			t.Errorf("no link leads from the README to %s", path)
		}
	}
}

// Every package has its row in the table of docs/internals.md; what is below internal in the root shares one.
func TestPackagesAreDescribed(t *testing.T) {
	text, err := os.ReadFile("../docs/internals.md")
	if err != nil {
		t.Fatal(err)
	}
	packages := make(map[string]bool)
	err = filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return fs.SkipDir
		}
		if err == nil && strings.HasSuffix(path, ".go") {
			folder := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "..")
			packages[strings.TrimPrefix(folder, "/")] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 15 {
		t.Fatalf("only %d packages were found", len(packages))
	}
	for folder := range packages {
		if folder != "" && !strings.HasPrefix(folder, "internal/") && !strings.Contains(string(text), "`"+folder+"`") {
			t.Errorf("docs/internals.md does not tell what %s is", folder)
		}
	}
}
