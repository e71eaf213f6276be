package command

import (
	"bufio"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

func exportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Writes the sessions of a pool as lines of JSON, which 'import' reads",
		Args:  cobra.NoArgs,
	}
	filter := filterFlags(cmd)
	cmd.RunE = run(func(_ *cobra.Command, c *call, _ []string) error { return c.export(filter()) })
	return cmd
}

// export writes sessions page by page. It leaves out those that have no upstream yet.
func (c *call) export(query url.Values) error {
	pool, err := c.onlyPool()
	if err != nil {
		return err
	}
	query.Set("limit", strconv.Itoa(page))
	out := bufio.NewWriter(c.out)
	lines := json.NewEncoder(out)
	for more := true; more; {
		var next adminapi.SessionPage
		at := time.Now() // before the answer, so that no session outlives its time
		if err := c.get(adminapi.Path("pools", pool, "sessions"), query, &next); err != nil {
			return err
		}
		for _, s := range next.Sessions {
			if s.Upstream == "" {
				continue
			}
			if err := lines.Encode(record{s, at}); err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
		query.Set("cursor", next.Cursor)
		more = next.Cursor != ""
	}
	return nil
}
