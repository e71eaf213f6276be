package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-sticky/caddy-sticky/internal/cli"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

// page is how many sessions are asked for at a time, which is as many as the API gives.
const page = 1000

func sessionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "Lists which client is at which upstream",
		Args:  cobra.ArbitraryArgs, // so that the error is about the unknown command
	}
	filter := filterFlags(cmd)
	limit := cmd.Flags().Int("limit", 100, "How many, or 0 for all")
	list := run(func(_ *cobra.Command, c *call, _ []string) error {
		if *limit < 0 {
			return fmt.Errorf("--limit: %d is negative", *limit)
		}
		return c.sessions(filter(), *limit)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return cli.Unknown(cmd, args)
		}
		return list(cmd, args)
	}
	cmd.AddCommand(exportCommand(), importCommand())
	return cmd
}

// filterFlags adds the flags that say which sessions are meant. The function that it returns makes the query that they stand for.
func filterFlags(cmd *cobra.Command) func() url.Values {
	flags := cmd.Flags()
	values := map[string]*string{
		"client":   flags.String("client", "", "Only that of this IP address"),
		"upstream": flags.String("upstream", "", "Only those at this upstream"),
		"state":    flags.String("state", "", "Only those that are live, with connections, or idle"),
	}
	return func() url.Values {
		query := make(url.Values)
		for name, value := range values {
			if *value != "" {
				query.Set(name, *value)
			}
		}
		return query
	}
}

// sessions lists sessions page by page. As JSON, they are in one document of the API's form.
func (c *call) sessions(query url.Values, limit int) error {
	pool, err := c.onlyPool()
	if err != nil {
		return err
	}
	all := struct {
		Sessions []json.RawMessage `json:"sessions"`
		Cursor   string            `json:"cursor,omitempty"`
	}{Sessions: []json.RawMessage{}}
	for left := limit; limit == 0 || left > 0; left = limit - len(all.Sessions) {
		query.Set("limit", strconv.Itoa(page))
		if limit > 0 {
			query.Set("limit", strconv.Itoa(min(page, left)))
		}
		next := all
		next.Sessions, next.Cursor = nil, ""
		if err := c.get(adminapi.Path("pools", pool, "sessions"), query, &next); err != nil {
			return err
		}
		all.Sessions, all.Cursor = append(all.Sessions, next.Sessions...), next.Cursor
		if all.Cursor == "" {
			break
		}
		query.Set("cursor", all.Cursor)
	}
	if c.json {
		return printJSON(c.out, all)
	}
	sessions := make([]adminapi.Session, len(all.Sessions))
	for i, text := range all.Sessions {
		if err := json.Unmarshal(text, &sessions[i]); err != nil {
			return fmt.Errorf("the answer of the admin endpoint at %s: %w", c.Address, err)
		}
	}
	printSessions(c.out, sessions)
	if all.Cursor != "" {
		fmt.Fprintf(c.out, "There are more than these %d; --limit 0 lists all.\n", len(sessions))
	}
	return nil
}

// onlyPool returns the pool that is meant, which must be said if there are several.
func (c *call) onlyPool() (string, error) {
	if c.pool != "" {
		return c.pool, nil
	}
	var pools []adminapi.Pool
	if err := c.get(adminapi.Path("pools"), nil, &pools); err != nil {
		return "", err
	}
	var names []string
	for _, p := range pools {
		names = append(names, cli.Printable(p.Pool))
	}
	switch len(pools) {
	case 0:
		return "", errors.New("there are no pools")
	case 1:
		return pools[0].Pool, nil
	}
	return "", fmt.Errorf("there are several pools; choose one of %s by --pool", strings.Join(names, ", "))
}

func printSessions(w io.Writer, sessions []adminapi.Session) {
	table(w, "CLIENT\tUPSTREAM\tCONNECTIONS\tFOR\tEXPIRES IN", func(row func(...any)) {
		for _, s := range sessions {
			expires := ""
			if s.ExpiresIn != nil {
				expires = fmt.Sprintf("%.0fs", *s.ExpiresIn)
			}
			row(s.Client, s.Upstream, s.Connections, time.Since(s.Since).Round(time.Second), expires)
		}
	})
}

func explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain <IP>",
		Short: "Tells where the next connection of a client goes, and why",
		Args:  cobra.ExactArgs(1),
		RunE: run(func(_ *cobra.Command, c *call, args []string) error {
			pool, err := c.onlyPool()
			if err != nil {
				return err
			}
			return show(c, http.MethodGet, adminapi.Path("pools", pool, "explain"), url.Values{"client": args}, nil, printExplanation)
		}),
	}
}

func printExplanation(w io.Writer, e adminapi.Explanation) {
	goes := "goes to " + cli.Printable(e.Upstream)
	if e.Upstream == "" {
		goes = "goes nowhere"
	}
	fmt.Fprintf(w, "%s %s: %s\n", cli.Printable(e.Client), goes, cli.Printable(e.Text))
	if e.Session != nil {
		fmt.Fprintln(w, "Its session:")
		printSessions(w, []adminapi.Session{*e.Session})
	}
	fmt.Fprintln(w, "The order without a session:")
	table(w, "UPSTREAM\tSTATE\tUSABLE\tREASON", func(row func(...any)) {
		for _, next := range e.Order {
			usable := "no"
			if next.Usable {
				usable = "yes"
			}
			row(next.Address, next.State, usable, next.Reason)
		}
	})
}
