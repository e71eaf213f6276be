package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func topCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Shows the pools and their upstreams again and again, until it is interrupted",
		Args:  cobra.NoArgs,
	}
	interval := duration(time.Second)
	cmd.Flags().Var(&interval, "interval", "Time between two looks")
	cmd.RunE = run(func(cmd *cobra.Command, c *call, _ []string) error {
		if interval <= 0 {
			return fmt.Errorf("--interval: %v is not above zero", &interval)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
		defer stop()
		return c.top(ctx, time.Duration(interval))
	})
	return cmd
}

// top prints the status until the context ends: in place on a terminal, and else one below the other. An endpoint that can't be
// asked may come back.
func (c *call) top(ctx context.Context, interval time.Duration) error {
	screen, onTerminal := c.out.(*os.File)
	onTerminal = onTerminal && term.IsTerminal(int(screen.Fd()))
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ; ctx.Err() == nil; wait(ctx, tick) {
		var text bytes.Buffer
		once := *c
		once.ctx, once.out = ctx, &text
		if err := once.status(); ctx.Err() != nil {
			break
		} else if err != nil {
			fmt.Fprintln(&text, err)
		}
		if onTerminal {
			width, height, err := term.GetSize(int(screen.Fd()))
			if err == nil {
				text = *bytes.NewBufferString(fit(text.String(), width, height))
			}
		} else {
			fmt.Fprintln(&text)
		}
		if _, err := io.Copy(c.out, &text); err != nil {
			return err
		}
	}
	return nil
}

// fit returns what has a terminal show a text from its first line on, as much as there is room for. Lines are erased one by one, since a screen
// that is cleared as a whole flickers.
func fit(text string, width, height int) string {
	const home, eraseLine, eraseRest = "\x1b[H", "\x1b[K", "\x1b[J"
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	lines = lines[:min(len(lines), max(1, height-1))]
	var screen strings.Builder
	screen.WriteString(home)
	for _, line := range lines {
		runes := []rune(line)
		screen.WriteString(string(runes[:min(len(runes), width)]) + eraseLine + "\n")
	}
	return screen.String() + eraseRest
}
