package legacy

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// logName is the file in the working folder that takes the output of a load balancer in the
// background; LoadBalancer.js had the same.
const logName = "loadbalancer.out"

// start runs a load balancer in the background and returns when it serves.
func start(cmd *cobra.Command, _ []string) error {
	path, err := filepath.Abs(cmd.Flag("config").Value.String())
	if err != nil {
		return err
	}
	output, err := openLog(os.O_CREATE | os.O_APPEND | os.O_WRONLY)
	if err != nil {
		return err
	}
	defer output.Close()
	log, err := openLog(os.O_RDONLY)
	if err != nil {
		return err
	}
	defer log.Close()
	size, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}

	pid, err := startChild(path, output)
	if err != nil {
		message := lastError(io.NewSectionReader(log, size, maxOutput))
		if message == "" {
			message = fmt.Sprintf("%v; see %s", err, logName)
		}
		_, _ = running() // removes the file of the instance that has ended
		return fmt.Errorf("the loadbalancer did not start: %s", message)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Success: Started loadbalancer, PID: %d\n", pid)
	return nil
}

// openLog opens the log in the working folder. If another user may write into that folder, too, that user must not be able
// to make root write into another file.
func openLog(flags int) (*os.File, error) {
	file, err := os.OpenFile(logName, flags|openItself, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !(info.Mode().IsRegular() && isOwned(info) && hasOneName(info)) {
		err = fmt.Errorf("%s is not a regular file with one name that belongs to the user who runs this; remove it", logName)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	return file, nil
}

// startChild runs `caddy loadbalancer run` and returns when it serves. As `caddy start` does, it gives
// the child random bytes, which only the child can send back to the address named.
func startChild(config string, output *os.File) (pid int, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	secret := []byte(rand.Text())

	child := exec.Command(program, commandName, runName, "--config", config, "--pingback", listener.Addr().String())
	child.SysProcAttr = detached()
	child.Stdin = bytes.NewReader(secret)
	child.Stdout, child.Stderr = output, output
	closeOnExec()
	if err := child.Start(); err != nil {
		return 0, err
	}
	serves, ended := make(chan struct{}), make(chan struct{})
	go awaitPingback(listener, secret, serves)
	go func() {
		_ = child.Wait() // ProcessState says how it ended
		close(ended)
	}()
	select {
	case <-serves:
		return child.Process.Pid, nil
	case <-ended:
		return 0, fmt.Errorf("it ended too early with %s", child.ProcessState)
	}
}

// awaitPingback closes serves when the secret arrives, and gives up when the listener is closed.
func awaitPingback(listener net.Listener, secret []byte, serves chan<- struct{}) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		received := make([]byte, len(secret))
		_ = conn.SetDeadline(time.Now().Add(time.Second)) // a stranger must not keep the child waiting
		_, err = io.ReadFull(conn, received)
		_ = conn.Close()
		if err == nil && bytes.Equal(received, secret) {
			close(serves)
			return
		}
	}
}

// maxOutput is how much of a child's output is searched for its error.
const maxOutput = 1 << 20

// lastError returns the last error in the output of `caddy loadbalancer run`, which is a line of
// Caddy's JSON log or one that begins with `Error: `.
func lastError(output io.Reader) string {
	text, err := io.ReadAll(output)
	if err != nil {
		return ""
	}
	for _, line := range slices.Backward(bytes.Split(text, []byte("\n"))) {
		if message, found := bytes.CutPrefix(line, []byte("Error: ")); found {
			return string(message)
		}
		var entry struct {
			Level   string `json:"level"`
			Message string `json:"msg"`
		}
		if json.Unmarshal(line, &entry) == nil && entry.Level == "error" {
			return entry.Message
		}
	}
	return ""
}
