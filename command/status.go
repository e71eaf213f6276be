package command

import (
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/caddy-sticky/caddy-sticky/internal/cli"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Shows the pools and their upstreams",
		Args:  cobra.NoArgs,
		RunE:  run(func(_ *cobra.Command, c *call, _ []string) error { return c.status() }),
	}
}

// status prints all pools, or the one that is meant.
func (c *call) status() error {
	if c.pool != "" {
		return show(c, http.MethodGet, adminapi.Path("pools", c.pool), nil, nil, printPool)
	}
	return show(c, http.MethodGet, adminapi.Path("pools"), nil, nil, printPools)
}

func printPools(w io.Writer, pools []adminapi.Pool) {
	if len(pools) == 0 {
		fmt.Fprintln(w, "There are no pools.")
	}
	for i, p := range pools {
		if i > 0 {
			fmt.Fprintln(w)
		}
		printPool(w, p)
	}
}

func printPool(w io.Writer, p adminapi.Pool) {
	store := ""
	if p.StoreUp != nil && !*p.StoreUp {
		store = "; the session store is down"
	}
	fmt.Fprintf(w, "Pool %s: %d connections, %d of them waiting; %d sessions, %d of them live%s\n",
		cli.Printable(p.Pool), p.Connections, p.Waiting, p.Sessions.Live+p.Sessions.Idle, p.Sessions.Live, store)
	printUpstreams(w, p.Upstreams...)
	if len(p.Nodes) > 0 {
		printNodes(w, p)
	}
}

// printNodes prints the nodes that share the sessions of a pool, the one that answers with a star.
func printNodes(w io.Writer, p adminapi.Pool) {
	table(w, "NODE\tHOST\tSEEN\tCONNECTIONS", func(row func(...any)) {
		for _, n := range p.Nodes {
			id := n.ID
			if id == p.Node {
				id += "*"
			}
			row(id, n.Host, fmt.Sprint(max(0, time.Since(n.LastSeen).Round(time.Second)), " ago"), n.Connections)
		}
	})
}

func printUpstreams(w io.Writer, upstreams ...adminapi.Upstream) {
	table(w, "UPSTREAM\tSTATE\tFOR\tWEIGHT\tCONNECTIONS\tSESSIONS\tLIVE\tUP\tDOWN\tDIALS\tFAILED\tREASON", func(row func(...any)) {
		for _, u := range upstreams {
			weight := fmt.Sprint(u.Weight)
			if u.Backup {
				weight += " (backup)"
			}
			row(u.Address, u.State, time.Since(u.Since).Round(time.Second), weight, u.Connections, u.Sessions.Live+u.Sessions.Idle, u.Sessions.Live,
				humanize.Bytes(uint64(u.BytesUp)), humanize.Bytes(uint64(u.BytesDown)), u.Dials, u.DialFailures, u.Reason)
		}
	})
}

// table prints a line of headings and then rows below them.
func table(w io.Writer, headings string, fill func(row func(cells ...any))) {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, headings)
	fill(func(cells ...any) {
		for i, cell := range cells {
			if i > 0 {
				fmt.Fprint(columns, "\t")
			}
			fmt.Fprint(columns, cli.Printable(fmt.Sprint(cell)))
		}
		fmt.Fprintln(columns)
	})
	_ = columns.Flush() // what can't be printed can't be told either
}
