package command

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/legacy"
	"github.com/caddy-sticky/caddy-sticky/internal/cli"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "sticky",
		Usage: "<status|sessions|explain|drain|activate|weight|plan|top>",
		Short: "Shows and changes what the pools of sticky_proxy do",
		Long: `
Asks the admin endpoint of a running Caddy about the pools of its sticky_proxy
handlers, and changes their upstreams.

The endpoint is the one of --address, or of the config in --config; else that of
the loadbalancer of the current folder, if 'caddy loadbalancer' has started one
there; else localhost:2019.
`,
		CobraFunc: setUp,
	})
}

// setUp adds the subcommands and the flags that all of them have.
func setUp(cmd *cobra.Command) {
	cmd.FParseErrWhitelist.UnknownFlags = true // so that the error is about the unknown command before the flag
	cmd.RunE = cli.Unknown
	flags := cmd.PersistentFlags()
	flags.String("address", "", "Address of the admin endpoint")
	flags.StringP("config", "c", "", "Config file that has the address of the admin endpoint")
	flags.StringP("adapter", "a", "", "Adapter of the config file")
	flags.StringP("pool", "p", "", "Only this pool")
	flags.Bool("json", false, "Print what the admin API answers")
	cmd.AddCommand(statusCommand(), sessionsCommand(), explainCommand(), drainCommand(), activateCommand(), weightCommand(), planCommand(), topCommand())
}

// A call is one run of a command.
type call struct {
	*adminapi.Client
	ctx  context.Context
	out  io.Writer
	pool string // which is meant, empty if it is not said
	json bool
}

// run returns what cobra runs for a command. The client is closed after it.
func run(do func(cmd *cobra.Command, c *call, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return withCall(cmd, nil, cmd.Flag("config").Value.String(), func(c *call) error { return do(cmd, c, args) })
	}
}

// withCall calls do with the endpoint that a command asks, which is found as findEndpoint does. The client is closed after it.
func withCall(cmd *cobra.Command, loaded []byte, file string, do func(*call) error) error {
	address, err := findEndpoint(cmd, loaded, file)
	if err != nil {
		return err
	}
	c, err := newCall(cmd, address)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}

func newCall(cmd *cobra.Command, address string) (*call, error) {
	client, err := adminapi.NewClient(address)
	if err != nil {
		return nil, err
	}
	asJSON, err := cmd.Flags().GetBool("json")
	return &call{Client: client, ctx: cmd.Context(), out: cmd.OutOrStdout(), pool: cmd.Flag("pool").Value.String(), json: asJSON}, err
}

// findEndpoint returns the address of the admin endpoint that a command asks, of which a config file may tell, which may have been loaded
// already.
func findEndpoint(cmd *cobra.Command, loaded []byte, file string) (string, error) {
	given := cmd.Flag("address").Value.String()
	address, err := caddycmd.DetermineAdminAPIAddress(given, loaded, file, cmd.Flag("adapter").Value.String())
	if err != nil || given != "" || address != caddy.DefaultAdminListen {
		return address, err
	}
	ofFolder, err := legacy.AdminOfFolder()
	return cmp.Or(ofFolder, address), err
}

// get asks for a document.
func (c *call) get(path string, query url.Values, answer any) error {
	return c.Do(c.ctx, http.MethodGet, path, query, nil, answer)
}

// show asks for a document, and prints it as JSON or has it printed as a table.
func show[T any](c *call, method, path string, query url.Values, body any, table func(w io.Writer, document T)) error {
	var text json.RawMessage
	if err := c.Do(c.ctx, method, path, query, body, &text); err != nil {
		return err
	}
	if c.json {
		return printJSON(c.out, text)
	}
	var document T
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("the answer of the admin endpoint at %s: %w", c.Address, err)
	}
	table(c.out, document)
	return nil
}

func printJSON(w io.Writer, document any) error {
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// duration is the value of a flag, in the form that Caddy's configs have.
type duration time.Duration

func (d *duration) String() string { return time.Duration(*d).String() }
func (d *duration) Type() string   { return "duration" }
func (d *duration) Set(text string) error {
	parsed, err := caddy.ParseDuration(text)
	*d = duration(parsed)
	return err
}
