package command

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestCommandsAreDocumented looks for every command and every flag in the page about them.
func TestCommandsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	root := &cobra.Command{Use: "sticky"}
	setUp(root)
	rows := 0
	want := func(row string) {
		t.Helper()
		rows++
		if strings.Count(page, "\n"+row) != 1 {
			t.Errorf("the page has not one row %q", row)
		}
	}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { want(fmt.Sprintf("| `--%s` |", f.Name)) })
	eachCommand(root, "", func(names string, c *cobra.Command) {
		want(fmt.Sprintf("| `caddy sticky %s` |", names+c.Use))
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			defaults := map[string]string{"": "", "[]": "", "0": "", "0s": "", "false": " off"}
			value, known := defaults[f.DefValue]
			if !known {
				value = " `" + f.DefValue + "`"
			}
			want(fmt.Sprintf("| `%s` | `--%s` |%s |", names+c.Name(), f.Name, value))
		})
	})
	if got := strings.Count(page, "\n| `"); got != rows {
		t.Errorf("the page has %d rows, and there are %d commands and flags", got, rows)
	}
}

// eachCommand calls do for all commands below one, with the names that stand before theirs.
func eachCommand(parent *cobra.Command, names string, do func(names string, c *cobra.Command)) {
	for _, c := range parent.Commands() {
		do(names, c)
		eachCommand(c, names+c.Name()+" ", do)
	}
}

// TestFit cuts a text to the size of a terminal.
func TestFit(t *testing.T) {
	const want = "\x1b[Häb\x1b[K\ncd\x1b[K\n\x1b[J"
	if got := fit("äbx\ncd\nef\n", 2, 3); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := fit("", 80, 0); got != "\x1b[H\x1b[K\n\x1b[J" {
		t.Errorf("nothing is shown as %q", got)
	}
}
