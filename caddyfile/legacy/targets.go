package legacy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/cli"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
	"github.com/caddy-sticky/caddy-sticky/privileges"
)

// listTimeout is how long an instance may take to tell of its targets.
const listTimeout = 2 * time.Second

// listTargets prints a line for each target of the instance. One that does not serve yet has none.
func (i *instance) listTargets(w io.Writer) {
	if i.Admin == "" {
		return
	}
	pools, err := i.pools()
	if err != nil {
		fmt.Fprintf(w, "  its targets are not known: %s\n", cli.Printable(err.Error()))
		return
	}
	for _, p := range pools {
		for _, u := range p.Upstreams {
			reason := ""
			if u.Reason != "" {
				reason = ": " + cli.Printable(u.Reason)
			}
			fmt.Fprintf(w, "  %s is %s%s\n", cli.Printable(u.Address), u.State, reason)
		}
	}
}

// pools asks the instance for its pools. That is a GET without effects, so root may send it to the endpoint of an instance that has
// become another user.
func (i *instance) pools() (pools []adminapi.Pool, err error) {
	client, err := adminapi.NewClient(i.Admin)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), listTimeout)
	defer cancel()
	err = client.Do(ctx, http.MethodGet, adminapi.Path("pools"), nil, nil, &pools)
	return pools, err
}

// AdminOfFolder returns the address of the admin endpoint of the load balancer that runs with a config in the current folder, and
// an empty string if there is none. A process of root becomes that one's user first, so that it can reach no endpoint that this user
// cannot.
func AdminOfFolder() (address string, err error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	instances, err := running()
	if err != nil {
		return "", nil // a user for whom no folder can be made has no instances
	}
	var found *instance
	for _, one := range instances {
		switch {
		case filepath.Dir(one.Config) != here:
		case found != nil:
			return "", errors.New("several loadbalancers run with configs in this folder; give the --address of one, which 'caddy loadbalancer list' tells")
		default:
			found = one
		}
	}
	switch {
	case found == nil:
		return "", nil
	case found.Admin == "":
		return "", fmt.Errorf("the loadbalancer with PID %d does not serve yet", found.PID)
	case found.User == "":
		return found.Admin, nil
	}
	user, err := privileges.Lookup(found.User)
	if err == nil {
		err = user.Drop()
	}
	if err != nil {
		return "", fmt.Errorf("becoming the user of the loadbalancer with PID %d: %w", found.PID, err)
	}
	return found.Admin, nil
}
