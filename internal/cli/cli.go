package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

// Unknown is what a command runs that only has subcommands: it prints the help if none is given, and returns an error for one
// that does not exist.
func Unknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	cmd.PrintErrln(cmd.UsageString())
	return fmt.Errorf("%s has no command %q%s", cmd.Name(), args[0], parse.Suggest(args[0], names))
}

// Printable returns a text as it is, or quoted if a terminal would do something else than show it.
func Printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
