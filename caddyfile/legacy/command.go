package legacy

import (
	"errors"
	"fmt"
	"strconv"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-sticky/caddy-sticky/internal/cli"
)

const (
	commandName = "loadbalancer"
	runName     = "run"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  commandName,
		Usage: "<run|start|reload|stop|list>",
		Short: "Runs load balancers from LoadBalancer.js's config.json",
		Long: `
Runs Caddy as a load balancer from a config.json that was made for LoadBalancer.js.

Without --config, the file is ./config.json. Use 'caddy adapt --adapter loadbalancer'
to see what the config is in Caddy's own terms. Several load balancers may run at
once; 'list' shows them, 'reload' has the one with this config read it anew, and
'stop' stops all of them or the one with an index.
`,
		CobraFunc: setUp,
	})
}

// setUp adds the subcommands. Their errors are one line each, without the usage.
func setUp(cmd *cobra.Command) {
	cmd.FParseErrWhitelist.UnknownFlags = true // so that the error is about the unknown command before the flag
	cmd.RunE = cli.Unknown
	runCmd := &cobra.Command{
		Use:   runName + " [--config <path>]",
		Short: "Runs a load balancer in the foreground",
		Args:  cobra.NoArgs,
		RunE:  run,
	}
	startCmd := &cobra.Command{
		Use:   "start [--config <path>]",
		Short: "Starts a load balancer in the background, with its log in ./" + logName,
		Args:  cobra.NoArgs,
		RunE:  start,
	}
	reloadCmd := &cobra.Command{
		Use:   "reload [--config <path>] [<index>]",
		Short: "Has the load balancer with that config, or with that index in the list, take over what the config says now",
		Args:  cobra.MaximumNArgs(1),
		RunE:  reload,
	}
	stopCmd := &cobra.Command{
		Use:   "stop [<index>]",
		Short: "Stops all load balancers, or the one with that index in the list",
		Args:  cobra.MaximumNArgs(1),
		RunE:  stop,
	}
	listCmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the running load balancers in the order in which they were started",
		Args:  cobra.NoArgs,
		RunE:  list,
	}
	for _, c := range []*cobra.Command{runCmd, startCmd, reloadCmd} {
		c.Flags().StringP("config", "c", "config.json", "LoadBalancer.js config file")
	}
	runCmd.Flags().String("pingback", "", "Echo confirmation bytes to this address when the load balancer serves")
	if err := runCmd.Flags().MarkHidden("pingback"); err != nil {
		panic(err) // the flag has just been defined
	}
	cmd.AddCommand(runCmd, startCmd, reloadCmd, stopCmd, listCmd)
}

func list(cmd *cobra.Command, _ []string) error {
	instances, err := running()
	if err != nil {
		return err
	}
	if len(instances) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), noneRunning)
	}
	for i, one := range instances {
		fmt.Fprintf(cmd.OutOrStdout(), "Index: %d, PID: %d, Config: %s, Port: %d, Admin: %s\n",
			i, one.PID, cli.Printable(one.Config), one.Port, cli.Printable(one.Admin))
		one.listTargets(cmd.OutOrStdout())
	}
	return nil
}

func stop(cmd *cobra.Command, args []string) error {
	instances, err := running()
	if err != nil {
		return err
	}
	if len(instances) == 0 && len(args) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), noneRunning)
		return nil
	}
	stopped := "loadbalancers"
	if len(args) > 0 {
		one, err := withIndex(instances, args[0])
		if err != nil {
			return err
		}
		stopped = fmt.Sprintf("loadbalancer with index %s, PID: %d", args[0], one.PID)
		instances = []*instance{one}
	}
	if err := stopAll(instances); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), "Success: Stopped "+stopped)
	return nil
}

// noneRunning is what the commands print when there is nothing to list or to stop.
const noneRunning = "No loadbalancers are running"

// withIndex returns the instance with the index that `list` shows.
func withIndex(instances []*instance, text string) (*instance, error) {
	index, err := strconv.Atoi(text)
	switch {
	case err != nil || index < 0:
		return nil, fmt.Errorf("%q is not an index of the list, such as 0", text)
	case len(instances) == 0:
		return nil, fmt.Errorf("there is no loadbalancer with index %d: none is running", index)
	case index >= len(instances):
		return nil, fmt.Errorf("there is no loadbalancer with index %d: the last one has %d", index, len(instances)-1)
	}
	return instances[index], nil
}

// stopAll stops the instances side by side and waits until they are gone.
func stopAll(instances []*instance) error {
	results := make(chan error, len(instances))
	for _, one := range instances {
		go func() { results <- one.stop() }()
	}
	var failed []error
	for range instances {
		failed = append(failed, <-results)
	}
	return errors.Join(failed...)
}
