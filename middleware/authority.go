package middleware

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

const (
	// maxQuestions bounds the connections to the service, and with it what a flood of clients can do to it.
	maxQuestions = 100
	maxHeader    = 64 << 10
	maxBody      = 4096
	maxRefusal   = 200
	// reasonTime is how long a body may take once the status is there, which is what decides.
	reasonTime = 200 * time.Millisecond
)

// A question is what the service gets. It doesn't have the client's port, since the answer holds for all of the
// client's connections.
type question struct {
	Client string `json:"client"`
	Local  string `json:"local"`
}

// An answer is empty if it lets the client in.
type answer struct {
	refusal string
	expires time.Time
}

// An authority is a service with the answers that it has given.
type authority struct {
	url       string
	timeout   time.Duration
	ttl       time.Duration
	now       func() time.Time
	transport *http.Transport
	client    *http.Client
	known     *lru.Cache[question, answer]
	pending   singleflight.Group
}

func newAuthority(url, socket string, timeout, ttl time.Duration, size int) (*authority, error) {
	known, err := lru.New[question, answer](size)
	if err != nil {
		return nil, fmt.Errorf("cache_size: %w", err)
	}
	// The context of a question ends neither the dial for it, nor the handshake, nor a connection of HTTP/2.
	dialer := &net.Dialer{Timeout: timeout}
	transport := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    timeout,
		MaxConnsPerHost:        maxQuestions,
		MaxIdleConnsPerHost:    maxQuestions,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: maxHeader,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: timeout, PingTimeout: timeout},
	}
	if socket != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return &authority{
		url: url, timeout: timeout, ttl: ttl, now: time.Now, known: known, transport: transport,
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
	}, nil
}

// about returns why a client is refused, or nothing if it may come in. It doesn't wait longer than the context
// allows; others may still wait for the same answer.
func (a *authority) about(ctx context.Context, q question) (refusal string, err error) {
	for {
		if refusal, known := a.recall(q); known {
			return refusal, nil
		}
		result := a.pending.DoChan(q.Client, func() (_ any, err error) {
			defer func() {
				if p := recover(); p != nil {
					err = newFault(p) // the group would end the process
				}
			}()
			safely.Reach("authorize")
			refusal, known := a.recall(q)
			if known { // the answer came in this very moment
				return outcome{q, refusal}, nil
			}
			refusal, err = a.ask(q)
			return outcome{q, refusal}, err
		})
		select {
		case r := <-result:
			if o, ok := r.Val.(outcome); !ok || o.question == q {
				return o.refusal, r.Err
			} // else the question was about another local address, and it is this one's turn
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// An outcome is what came of a question.
type outcome struct {
	question question
	refusal  string
}

func (a *authority) recall(q question) (refusal string, known bool) {
	kept, known := a.known.Get(q)
	if !known || !a.now().Before(kept.expires) {
		return "", false
	}
	return kept.refusal, true
}

// ask asks the service. It is on its own, so that a client that leaves takes nobody's answer away.
func (a *authority) ask(q question) (refusal string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), a.timeout)
	defer cancel()
	status, refusal, err := a.post(ctx, q)
	if err == nil && status/100 != 2 && status/100 != 4 {
		err = fmt.Errorf("asking %s: the status is %d", a.url, status)
	}
	if err != nil {
		answers.WithLabelValues("error").Inc()
		return "", err
	}
	if status/100 == 2 {
		refusal = ""
		answers.WithLabelValues("allow").Inc()
	} else {
		answers.WithLabelValues("deny").Inc()
	}
	a.known.Add(q, answer{refusal, a.now().Add(a.ttl)})
	return refusal, nil
}

// post sends the question and returns the answer's status, in words with the first line of its body, too. The body
// of an answer that switches protocols would be the connection itself, which no context ends.
func (a *authority) post(ctx context.Context, q question) (status int, words string, err error) {
	body, err := json.Marshal(q)
	if err != nil {
		return 0, "", fmt.Errorf("making the question: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return 0, "", fmt.Errorf("making the question: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.client.Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("asking the service: %w", err)
	}
	defer response.Body.Close()
	words = fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode))
	if response.StatusCode == http.StatusSwitchingProtocols {
		return response.StatusCode, words, nil
	}
	defer time.AfterFunc(reasonTime, safely.Func("authorize", cancel)).Stop()
	// What came of a body that does not end, or breaks off, is all that there is to say. A whole one has to be read for
	// the connection to serve again.
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxBody))
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if line = strings.ToValidUTF8(line[:min(len(line), maxRefusal)], ""); line != "" {
		words += ": " + line
	}
	return response.StatusCode, words, nil
}

func (a *authority) close() { a.transport.CloseIdleConnections() }
