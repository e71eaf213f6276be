package command

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-sticky/caddy-sticky/internal/cli"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

func planCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plan <config>",
		Short: "Tells what a reload with a config file would do; --adapter is for that file, too",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			// The file is read before the process may become another user.
			config, _, _, err := caddycmd.LoadConfig(args[0], cmd.Flag("adapter").Value.String())
			if err != nil {
				return err
			}
			loaded, file := config, args[0]
			if other := cmd.Flag("config").Value.String(); other != "" {
				loaded, file = nil, other
			}
			return withCall(cmd, loaded, file, func(c *call) error {
				return show(c, http.MethodPost, adminapi.Path("plan"), nil, json.RawMessage(config), printPlan(c.pool))
			})
		},
	}
}

// printPlan returns what prints a plan, or the part of it that is about a pool.
func printPlan(pool string) func(io.Writer, adminapi.Plan) {
	return func(w io.Writer, plan adminapi.Plan) {
		for _, p := range plan.Pools {
			if pool != "" && p.Pool != pool {
				continue
			}
			options := ""
			if len(p.Options) > 0 {
				options = " (" + strings.Join(p.Options, ", ") + ")"
			}
			fmt.Fprintf(w, "Pool %s: %s%s\n", cli.Printable(p.Pool), p.Change, cli.Printable(options))
			table(w, "UPSTREAM\tCHANGE\tSESSIONS THAT MOVE\tLIVE\tCONNECTIONS THAT STAY\tOPTIONS", func(row func(...any)) {
				for _, u := range p.Upstreams {
					row(u.Upstream, u.Change, u.Sessions.Live+u.Sessions.Idle, u.Sessions.Live, u.Connections, strings.Join(u.Options, ", "))
				}
			})
		}
	}
}
