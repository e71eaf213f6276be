package command

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-sticky/caddy-sticky/command/internal/haproxy"
	"github.com/caddy-sticky/caddy-sticky/internal/cli"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

func importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import [FILE]",
		Short: "Reads sessions that 'export' has written, or a stick table that HAProxy has dumped",
		Args:  cobra.MaximumNArgs(1),
	}
	var dump dumpFlags
	flags := cmd.Flags()
	flags.StringVar(&dump.table, "table", "", "Which table of HAProxy's dump, if there are several")
	flags.StringArrayVar(&dump.servers, "server", nil, "Which upstream a server of HAProxy's is, as <name or id>=<address>; without an address, its sessions are left out")
	flags.StringVar(&dump.states, "servers", "", "File that has HAProxy's answer to 'show servers state'")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// The files are opened before the process may become another user.
		in, err := openInput(cmd, args)
		if err != nil {
			return err
		}
		defer in.Close()
		states, err := dump.readStates()
		if err != nil {
			return err
		}
		return run(func(cmd *cobra.Command, c *call, _ []string) error {
			return c.importFrom(in, &dump, states, cmd.ErrOrStderr())
		})(cmd, args)
	}
	return cmd
}

// openInput opens the file that is given, or else the standard input.
func openInput(cmd *cobra.Command, args []string) (io.ReadCloser, error) {
	if len(args) == 0 || args[0] == "-" {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	return os.Open(args[0])
}

// importFrom imports what a text has, whichever of the formats that is.
func (c *call) importFrom(in io.Reader, dump *dumpFlags, states []haproxy.ServerState, notes io.Writer) error {
	pool, err := c.onlyPool()
	if err != nil {
		return err
	}
	text := bufio.NewReader(in)
	isDump, err := beginsWithTable(text)
	if err != nil {
		return err
	}
	i := importer{call: c, pool: pool}
	switch {
	case isDump:
		err = i.addDump(text, dump, states, notes)
	case dump.given():
		err = errors.New("--table, --server and --servers are of use with a dump of HAProxy only, which begins with '# table:'")
	default:
		err = i.addRecords(text)
	}
	return i.finish(err)
}

// beginsWithTable reports whether a text is a dump of HAProxy. It leaves the text as it is, but for empty lines in front.
func beginsWithTable(text *bufio.Reader) (bool, error) {
	for {
		switch first, err := text.Peek(1); {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		case first[0] == '#':
			return true, nil
		case first[0] != '\n' && first[0] != '\r':
			return false, nil
		}
		_, _ = text.Discard(1)
	}
}

// batchSize is how many bytes of sessions are sent at a time, some ten thousand sessions. The API takes eight times as much.
const batchSize = 2 << 20

// An importer sends sessions to a pool in batches.
type importer struct {
	*call
	pool string

	batch []json.RawMessage
	size  int // of the batch
	sum   adminapi.Imported
}

// add sends a session with one of the batches.
func (i *importer) add(s adminapi.ImportedSession) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	i.batch = append(i.batch, text)
	if i.size += len(text) + 1; i.size < batchSize {
		return nil
	}
	return i.flush()
}

// flush sends what has not been sent.
func (i *importer) flush() error {
	if len(i.batch) == 0 {
		return nil
	}
	var answer adminapi.Imported
	body := map[string]any{"sessions": i.batch}
	if err := i.Do(i.ctx, http.MethodPost, adminapi.Path("pools", i.pool, "sessions"), nil, body, &answer); err != nil {
		return err
	}
	i.batch, i.size = i.batch[:0], 0
	i.sum.Imported += answer.Imported
	i.sum.Present += answer.Present
	i.sum.Expired += answer.Expired
	i.sum.NoRoom += answer.NoRoom
	for address, count := range answer.UnknownUpstreams {
		if i.sum.UnknownUpstreams == nil {
			i.sum.UnknownUpstreams = make(map[string]int)
		}
		i.sum.UnknownUpstreams[address] += count
	}
	return nil
}

// finish sends what is left, and tells what has become of the sessions, also if there was an error before. It returns an error if not all that
// should have are in the pool.
func (i *importer) finish(err error) error {
	if err == nil {
		err = i.flush()
	}
	switch done := i.sum.Imported + i.sum.Present + i.sum.Expired; {
	case err != nil && done == 0:
		return err
	case i.json:
		err = errors.Join(err, printJSON(i.out, i.sum))
	default:
		printImported(i.out, i.sum)
	}
	switch {
	case err != nil:
		return fmt.Errorf("only a part is imported: %w", err)
	case len(i.sum.UnknownUpstreams) > 0:
		return fmt.Errorf("the pool '%s' does not have these upstreams: %s", cli.Printable(i.pool), countsOf(i.sum.UnknownUpstreams))
	case i.sum.NoRoom > 0:
		return fmt.Errorf("the pool '%s' has no room for %d sessions; its max_sessions are too few", cli.Printable(i.pool), i.sum.NoRoom)
	}
	return nil
}

func printImported(w io.Writer, sum adminapi.Imported) {
	unknown := 0
	for _, count := range sum.UnknownUpstreams {
		unknown += count
	}
	table(w, "IMPORTED\tPRESENT\tEXPIRED\tNO ROOM\tUNKNOWN UPSTREAM", func(row func(...any)) {
		row(sum.Imported, sum.Present, sum.Expired, sum.NoRoom, unknown)
	})
}

// mostNames is how many names an error lists.
const mostNames = 10

// countsOf lists names with what they count.
func countsOf(counts map[string]int) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if len(texts) == mostNames {
			texts = append(texts, "…")
			break
		}
		texts = append(texts, fmt.Sprintf("%s (%d sessions)", cli.Printable(name), counts[name]))
	}
	return strings.Join(texts, ", ")
}

// addRecords adds the sessions of an export.
func (i *importer) addRecords(text io.Reader) error {
	return eachRecord(text, func(r importedRecord) error { return i.add(r.session(time.Now())) })
}
