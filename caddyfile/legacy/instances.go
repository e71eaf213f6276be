package legacy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// instance is a running load balancer. Each has a file of its own in the folder of instances, which a
// crash leaves behind.
type instance struct {
	PID     int       `json:"pid"`
	Config  string    `json:"config"`
	Started time.Time `json:"started"`

	folder string
	// socketFolder is another folder for the socket, of a process that may not write into the other one.
	socketFolder string
}

const (
	stopTimeout  = 30 * time.Second
	stopInterval = 20 * time.Millisecond
)

// folder returns where the instances of this user are kept.
func folder() (string, error) {
	return filepath.Abs(filepath.Join(caddy.AppDataDir(), adapterName))
}

// register adds this process to the instances.
func register(config string) (*instance, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	if config, err = filepath.Abs(config); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	self := &instance{PID: os.Getpid(), Config: config, Started: time.Now(), folder: dir}
	data, err := json.Marshal(self)
	if err != nil {
		return nil, err
	}
	// Renamed into place, so that nobody reads half of it.
	unfinished := self.path(".tmp")
	if err := os.WriteFile(unfinished, data, 0o600); err != nil {
		return nil, err
	}
	return self, os.Rename(unfinished, self.path(".json"))
}

// running returns the instances in the order in which they were started, and forgets those that are
// gone.
func running() ([]*instance, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var instances []*instance
	for _, entry := range entries {
		name, found := strings.CutSuffix(entry.Name(), ".json")
		pid, err := strconv.Atoi(name)
		if !found || err != nil {
			continue // not one of ours
		}
		one := &instance{PID: pid, folder: dir}
		data, err := os.ReadFile(one.path(".json"))
		if err != nil || json.Unmarshal(data, one) != nil || one.PID != pid || !one.alive() {
			one.PID = pid
			one.remove()
			continue
		}
		instances = append(instances, one)
	}
	slices.SortFunc(instances, func(a, b *instance) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.PID, b.PID))
	})
	return instances, nil
}

func (i *instance) path(extension string) string {
	return filepath.Join(i.folder, strconv.Itoa(i.PID)+extension)
}

// socket returns the path of the admin socket that the instance has if it needs one of its own.
func (i *instance) socket() string {
	return filepath.Join(cmp.Or(i.socketFolder, i.folder), strconv.Itoa(i.PID)+".sock")
}

// isLate reports whether the default admin endpoint is taken, or about to be taken by an instance that was
// started before. They would share it otherwise, and every request would go to any of them by chance.
func (i *instance) isLate() (bool, error) {
	if _, chosen := os.LookupEnv("CADDY_ADMIN"); chosen {
		return false, nil
	}
	instances, err := running()
	if err != nil {
		return false, err
	}
	return (len(instances) > 0 && instances[0].PID != i.PID) || answers(caddy.DefaultAdminListen), nil
}

// ownAdmin gives this instance an admin endpoint of its own.
func (i *instance) ownAdmin() (err error) {
	if i.socketFolder, err = folder(); err != nil {
		return err
	}
	if err := os.MkdirAll(i.socketFolder, 0o700); err != nil {
		return fmt.Errorf("making a folder for the admin endpoint: %w", err)
	}
	const longest = 103 // what every system takes as the name of a socket
	if len(i.socket()) > longest {
		return fmt.Errorf("the admin endpoint %s is taken, and %s is too long a name for a socket: "+
			"set CADDY_ADMIN to an address for this loadbalancer", caddy.DefaultAdminListen, i.socket())
	}
	admin := "unix/" + i.socket()
	caddy.Log().Info("another process has the default admin endpoint; this loadbalancer gets its own",
		zap.String("default", caddy.DefaultAdminListen), zap.String("own", admin))
	caddy.DefaultAdminListen = admin
	return nil
}

// remove forgets the instance. What is not there needs no removing.
func (i *instance) remove() {
	_ = os.Remove(i.socket())
	_ = os.Remove(i.path(".json"))
}

// alive tells whether the instance still runs. Where the system tells what a process runs, another
// process that got the same PID since is not mistaken for it.
func (i *instance) alive() bool {
	if command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", i.PID)); err == nil {
		return bytes.Contains(command, []byte("\x00"+commandName+"\x00"+runName+"\x00"))
	}
	return exists(i.PID)
}

// stop ends the instance and returns when it is gone.
func (i *instance) stop() error {
	process, err := os.FindProcess(i.PID)
	if err == nil {
		err = terminate(process)
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping PID %d: %w", i.PID, err)
	}
	for deadline := time.Now().Add(stopTimeout); i.alive(); time.Sleep(stopInterval) {
		if time.Now().After(deadline) {
			return fmt.Errorf("stopping PID %d: it still runs after %v", i.PID, stopTimeout)
		}
	}
	i.remove()
	return nil
}
