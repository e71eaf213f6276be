package legacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/cli"
	"github.com/caddy-sticky/caddy-sticky/privileges"
)

// reload loads a config into a running load balancer, and returns when that serves it.
func reload(cmd *cobra.Command, args []string) error {
	one, path, err := chooseInstance(cmd, args)
	if err != nil {
		return err
	}
	c, user, err := checkConfig(path)
	if err != nil {
		return err
	}
	file, err := one.openForChanges()
	if err != nil {
		return fmt.Errorf("opening the file of the loadbalancer with PID %d: %w", one.PID, err)
	}
	defer file.Close()
	if err := one.load(c, user); err != nil {
		return err
	}
	if err := appendChange(file, change{Config: path, Port: c.sourcePort}); err != nil {
		return fmt.Errorf("writing the file of the loadbalancer with PID %d: %w", one.PID, err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Success: Reloaded loadbalancer, PID: %d\n", one.PID)
	return nil
}

// chooseInstance returns the instance with the index in args, or else the one with the config in the flags, and the path of
// the config that it is to load.
func chooseInstance(cmd *cobra.Command, args []string) (one *instance, path string, err error) {
	config := cmd.Flag("config")
	if path, err = filepath.Abs(config.Value.String()); err != nil {
		return nil, "", err
	}
	instances, err := running()
	switch {
	case err != nil:
		return nil, "", err
	case len(instances) == 0:
		return nil, "", errors.New("no loadbalancers are running")
	case len(args) == 0:
		one, err = withConfig(instances, path)
		return one, path, err
	}
	one, err = withIndex(instances, args[0])
	if err == nil && !config.Changed {
		path = one.Config
	}
	return one, path, err
}

// withConfig returns the only instance that runs with the config.
func withConfig(instances []*instance, path string) (one *instance, err error) {
	for _, other := range instances {
		if other.Config != path {
			continue
		}
		if one != nil {
			return nil, fmt.Errorf("several loadbalancers run with %s; give the index that the one has in the list", cli.Printable(path))
		}
		one = other
	}
	if one == nil {
		return nil, fmt.Errorf("no loadbalancer runs with %s; 'caddy %s list' tells which do", cli.Printable(path), commandName)
	}
	return one, nil
}

// load loads the config into the instance. A process of root becomes the instance's user first, so that it can read no
// script and reach no admin endpoint that this user cannot.
func (i *instance) load(c *config, user *privileges.User) error {
	switch {
	case i.Admin == "":
		return fmt.Errorf("the loadbalancer with PID %d does not serve yet", i.PID)
	case nameOf(user) != i.User:
		return fmt.Errorf("%s: downgradeToUser: the loadbalancer with PID %d %s; stop it and start it to change that", c.file, i.PID, i.rights())
	case user != nil:
		if err := user.Drop(); err != nil {
			return fmt.Errorf("%s: downgradeToUser: %w", c.file, err)
		}
	}
	if err := c.checkController(); err != nil {
		return fmt.Errorf("%s: %s: %w", c.file, controllerName, err)
	}
	body, err := c.adapt()
	if err != nil {
		return err
	}
	for _, w := range c.warnings {
		caddy.Log().Warn(w.Message, zap.String("file", w.File), zap.String("option", w.Directive))
	}
	// Caddy goes on knowing which file to load when it is told to by a signal.
	source := http.Header{"Caddy-Config-Source-File": {c.file}, "Caddy-Config-Source-Adapter": {adapterName}}
	response, err := caddycmd.AdminAPIRequest(i.Admin, http.MethodPost, "/load", source, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the loadbalancer with PID %d has not taken %s over: %s", i.PID, cli.Printable(c.file), reason(err))
	}
	return response.Body.Close()
}

// rights describes the user that the instance has become.
func (i *instance) rights() string {
	if i.User == "" {
		return "has become nobody else"
	}
	return fmt.Sprintf("has become '%s'", i.User)
}

// reason returns the text of an admin endpoint's answer, which Caddy's error quotes, or else the text of the error.
func reason(err error) string {
	var answer struct {
		Error string `json:"error"`
	}
	_, quoted, _ := strings.Cut(err.Error(), ": {")
	if json.Unmarshal([]byte("{"+quoted), &answer) != nil || answer.Error == "" {
		return err.Error()
	}
	return answer.Error
}
