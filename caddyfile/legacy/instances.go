package legacy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// An instance is a running load balancer. Each has a file of its own in the folder of instances. The file stays behind
// when the process crashes, or may not write there any more. It contains a JSON object with these members, followed by
// an object for each change since.
type instance struct {
	PID     int       `json:"pid"`
	Start   string    `json:"start"` // when the process was started, to tell it from later ones with the same PID
	Config  string    `json:"config"`
	Port    int       `json:"port"`
	Network string    `json:"network"`
	User    string    `json:"user,omitempty"` // that the process has become, if there is one
	Started time.Time `json:"started"`
	Admin   string    `json:"admin,omitempty"` // the address of its admin endpoint, as soon as that is known

	folder string
	// socketFolder is the folder for the socket of a process that may not write into the other folder.
	socketFolder string
}

const (
	stopTimeout  = 30 * time.Second
	stopInterval = 20 * time.Millisecond
	// startTimeout is how long an instance may take from its start until it listens.
	startTimeout = time.Minute
)

// register adds this process to the instances, and returns the earlier ones. The user that the process is going to become
// must be given now, because that user can only append changes to the file.
func register(config string, port int, user string) (self *instance, earlier []*instance, err error) {
	dir, err := folder()
	if err != nil {
		return nil, nil, err
	}
	if config, err = filepath.Abs(config); err != nil {
		return nil, nil, err
	}
	defer lock(dir)()
	pid := os.Getpid()
	self = &instance{
		PID: pid, Start: startOf(pid), Config: config, Port: port, Network: network(), User: user, Started: time.Now(), folder: dir,
	}
	if err := self.write(); err != nil {
		return nil, nil, err
	}
	all, err := running()
	if err != nil {
		return nil, nil, err
	}
	for _, one := range all {
		if one.PID == pid {
			break
		}
		earlier = append(earlier, one)
	}
	return self, earlier, nil
}

// write makes the instance's file. It is renamed into place, so that no process reads half of it.
func (i *instance) write() error {
	data, err := json.Marshal(i)
	if err != nil {
		return err
	}
	unfinished := i.path(".tmp")
	_ = os.Remove(unfinished) // left by an earlier process with the same PID
	file, err := os.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(unfinished, i.path(".json"))
}

// openForChanges opens the instance's file for appendChange, which must happen before this process becomes a user who
// may not open it.
func (i *instance) openForChanges() (*os.File, error) {
	return os.OpenFile(i.path(".json"), os.O_WRONLY|os.O_APPEND, 0)
}

// A change has new values for what may change while an instance runs. What is left out stays unchanged.
type change struct {
	Config string `json:"config,omitempty"`
	Port   int    `json:"port,omitempty"`
	Admin  string `json:"admin,omitempty"`
}

// appendChange adds a change to the file of an instance, in one write: a process that reads the file meanwhile sees all
// of the change or nothing.
func appendChange(file *os.File, c change) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return err
}

// read sets the instance to what its file says.
func (i *instance) read() error {
	file, err := os.Open(i.path(".json"))
	if err != nil {
		return err
	}
	defer file.Close()
	objects := json.NewDecoder(file)
	if err := objects.Decode(i); err != nil {
		return err
	}
	for objects.Decode(i) == nil {
		// applies the changes, up to one that is incomplete
	}
	return nil
}

// running returns the instances in the order in which they were started, and removes the files of those that are gone.
func running() ([]*instance, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var instances []*instance
	for _, entry := range entries {
		name, found := strings.CutSuffix(entry.Name(), ".json")
		pid, err := strconv.Atoi(name)
		if !found || err != nil {
			continue // not the file of an instance
		}
		one := &instance{PID: pid, folder: dir}
		if one.read() != nil || one.PID != pid || !one.alive() {
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

// checkPort returns an error if one of the earlier instances may be about to listen on this one's port. If each only
// looked whether the port is free, two at the same moment would both find it free, and then share it.
func (i *instance) checkPort(earlier []*instance) error {
	for _, one := range earlier {
		if one.Port == i.Port && one.Network == i.Network && i.Started.Sub(one.Started) < startTimeout {
			return fmt.Errorf("%d is the port of the loadbalancer with PID %d, which has just been started", i.Port, one.PID)
		}
	}
	return nil
}

func (i *instance) path(extension string) string {
	return filepath.Join(i.folder, strconv.Itoa(i.PID)+extension)
}

// socket returns the path of the instance's admin socket, which it has if the default admin endpoint is taken.
func (i *instance) socket() string {
	return filepath.Join(cmp.Or(i.socketFolder, i.folder), strconv.Itoa(i.PID)+".sock")
}

// isAdminTaken reports whether the default admin endpoint is taken, or about to be taken by an earlier instance. The two
// would share it otherwise, and each request would reach one of them by chance. An earlier instance that was started
// with another CADDY_ADMIN has another default.
func isAdminTaken(earlier []*instance) bool {
	_, chosen := os.LookupEnv("CADDY_ADMIN")
	for _, one := range earlier {
		if !chosen || one.Admin == "" || one.Admin == caddy.DefaultAdminListen {
			return true
		}
	}
	address, err := caddy.ParseNetworkAddress(caddy.DefaultAdminListen)
	return err == nil && answers(address.Network, address.JoinHostPort(0))
}

// ownAdmin gives this instance an admin endpoint of its own.
func (i *instance) ownAdmin() (err error) {
	if i.socketFolder, err = folder(); err != nil {
		return fmt.Errorf("making a folder for the admin endpoint: %w", err)
	}
	const longest = 103 // bytes that every system allows in the name of a socket
	if len(i.socket()) > longest {
		return fmt.Errorf("the admin endpoint %s is taken, and %s is too long a name for a socket: "+
			"set CADDY_ADMIN to an address for this loadbalancer", caddy.DefaultAdminListen, i.socket())
	}
	admin := "unix/" + i.socket()
	caddy.Log().Info("another process has the default admin endpoint; this loadbalancer gets its own",
		zap.String("other", caddy.DefaultAdminListen), zap.String("address", admin))
	caddy.DefaultAdminListen = admin
	return nil
}

// remove removes the instance's file and socket, as far as they exist.
func (i *instance) remove() {
	_ = os.Remove(i.socket())
	_ = os.Remove(i.path(".json"))
}

// alive reports whether the instance still runs. On Linux it does not mistake a later process with the same PID for the
// instance.
func (i *instance) alive() bool {
	if i.PID <= 0 || startOf(i.PID) != i.Start {
		return false
	}
	return i.Start != "" || exists(i.PID)
}

// stop ends the instance and returns when it is gone.
func (i *instance) stop() error {
	process, err := os.FindProcess(i.PID)
	// The check comes after the process is found: only then the signal is sure to reach the instance and no later process.
	if err == nil && i.alive() {
		err = terminate(process)
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping PID %d: %w", i.PID, err)
	}
	timeout := stopTimeout + i.gracePeriod()
	for deadline := time.Now().Add(timeout); i.alive(); time.Sleep(stopInterval) {
		if time.Now().After(deadline) {
			return fmt.Errorf("stopping PID %d: it still runs after %v", i.PID, timeout)
		}
	}
	i.remove()
	return nil
}

// gracePeriod returns for how long the instance may wait for its connections, as its config says now, or nothing if that can't be read.
func (i *instance) gracePeriod() time.Duration {
	c, err := readFile(i.Config)
	if err != nil {
		return 0
	}
	return time.Duration(c.handler.GracePeriod)
}
