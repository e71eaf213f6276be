package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/caddy-sticky/caddy-sticky/internal/cli"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

const (
	// waitTick is how often drain --wait looks at the upstream.
	waitTick = 200 * time.Millisecond
	// waitPatience is how long the endpoint may be away meanwhile, as it is for a moment when a config is loaded.
	waitPatience = 5 * time.Second
)

func drainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drain <address>",
		Short: "Gives an upstream no new clients; those that have a session stay",
		Args:  cobra.ExactArgs(1),
	}
	flags := cmd.Flags()
	var deadline, timeout duration
	maintenance := flags.Bool("maintenance", false, "Give it no new connections either, so that sessions move with their next one")
	flags.Var(&deadline, "deadline", "After which connections that are left are reset, at an even pace")
	rate := flags.Float64("rate", 0, "How many are reset in a second then (by default it takes 30 seconds)")
	wait := flags.Bool("wait", false, "Return when the upstream is empty")
	flags.Var(&timeout, "timeout", "How long to wait before that has failed (by default for ever)")
	cmd.RunE = run(func(cmd *cobra.Command, c *call, args []string) error {
		if flags.Changed("timeout") && !*wait {
			return errors.New("--timeout is of use with --wait only")
		}
		wanted := adminapi.Override{State: "drain"}
		if *maintenance {
			wanted.State = "maintenance"
		}
		if flags.Changed("deadline") {
			d := caddy.Duration(deadline)
			wanted.Deadline = &d
		}
		if flags.Changed("rate") {
			wanted.Rate = rate
		}
		path, err := c.find(args[0])
		if err != nil {
			return err
		}
		if !*wait {
			return c.patch(path, wanted)
		}
		if err := c.Do(c.ctx, http.MethodPatch, path, nil, wanted, new(json.RawMessage)); err != nil {
			return err
		}
		return c.waitUntilEmpty(path, args[0], time.Duration(timeout), cmd.ErrOrStderr())
	})
	return cmd
}

func activateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "activate <address>",
		Short: "Ends what was set for an upstream by drain and weight",
		Args:  cobra.ExactArgs(1),
		RunE: run(func(_ *cobra.Command, c *call, args []string) error {
			return c.change(args[0], adminapi.Override{State: "active"})
		}),
	}
}

func weightCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "weight <address> <n>",
		Short: "Gives an upstream another weight than the config does",
		Args:  cobra.ExactArgs(2),
		RunE: run(func(_ *cobra.Command, c *call, args []string) error {
			weight, err := strconv.Atoi(args[1])
			if err != nil {
				return fmt.Errorf("the weight '%s' is not a whole number", args[1])
			}
			return c.change(args[0], adminapi.Override{Weight: &weight})
		}),
	}
}

// change sets something for an upstream and prints what becomes of it.
func (c *call) change(address string, wanted adminapi.Override) error {
	path, err := c.find(address)
	if err != nil {
		return err
	}
	return c.patch(path, wanted)
}

func (c *call) patch(path string, wanted adminapi.Override) error {
	return show(c, http.MethodPatch, path, nil, wanted, func(w io.Writer, u adminapi.Upstream) { printUpstreams(w, u) })
}

// find returns the path of the upstream with an address, in whichever pool it is, unless a pool is meant. An upstream of the config
// that stands for a single address may be given instead.
func (c *call) find(address string) (path string, err error) {
	var pools []adminapi.Pool
	if err := c.get(adminapi.Path("pools"), nil, &pools); err != nil {
		return "", err
	}
	var exact, named, places []string
	for _, p := range pools {
		if c.pool != "" && p.Pool != c.pool {
			continue
		}
		for _, u := range p.Upstreams {
			path := adminapi.Path("pools", p.Pool, "upstreams", u.Address)
			switch address {
			case u.Address:
				exact = append(exact, path)
			case u.Upstream:
				named = append(named, path)
			default:
				continue
			}
			places = append(places, cli.Printable(u.Address)+" in the pool "+cli.Printable(p.Pool))
		}
	}
	if len(exact) == 0 {
		exact = named
	}
	switch {
	case len(exact) == 1:
		return exact[0], nil
	case len(exact) > 1:
		return "", fmt.Errorf("'%s' may be %s; give the address and its --pool", address, strings.Join(places, " or "))
	case c.pool != "":
		return "", fmt.Errorf("the pool '%s' has no upstream '%s'", c.pool, address)
	}
	return "", fmt.Errorf("no pool has an upstream '%s'", address)
}

// waitUntilEmpty returns when an upstream has no connections and no sessions left, or when that is removed. It tells how many there are
// whenever that has changed. A timeout of 0 is none.
func (c *call) waitUntilEmpty(path, address string, timeout time.Duration, progress io.Writer) error {
	ctx := c.ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	tick := time.NewTicker(waitTick)
	defer tick.Stop()
	left, reached := "", time.Now()
	for ; ; wait(ctx, tick) {
		var text json.RawMessage
		var u adminapi.Upstream
		err := c.Do(ctx, http.MethodGet, path, nil, nil, &text)
		if err == nil {
			reached = time.Now()
			err = json.Unmarshal(text, &u)
		}
		refusal, refused := errors.AsType[*adminapi.Error](err)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s has %s left after %v", address, left, timeout)
		case refused && refusal.Status == http.StatusNotFound:
			fmt.Fprintf(progress, "%s is removed\n", address)
			return nil
		case refused || err != nil && time.Since(reached) > waitPatience:
			return err
		case err != nil: // perhaps a config is being loaded
		case u.Connections == 0 && u.Sessions.Live+u.Sessions.Idle == 0:
			return c.printDrained(text, u)
		case u.State != "removed" && (u.Override == nil || u.Override.State == ""):
			return fmt.Errorf("%s is not drained any more: it is %s", address, u.State)
		default:
			if now := fmt.Sprintf("%d connections and %d sessions", u.Connections, u.Sessions.Live+u.Sessions.Idle); now != left {
				left = now
				fmt.Fprintf(progress, "%s has %s left\n", address, left)
			}
		}
	}
}

func wait(ctx context.Context, tick *time.Ticker) {
	select {
	case <-ctx.Done():
	case <-tick.C:
	}
}

func (c *call) printDrained(text json.RawMessage, u adminapi.Upstream) error {
	if c.json {
		return printJSON(c.out, text)
	}
	printUpstreams(c.out, u)
	return nil
}
