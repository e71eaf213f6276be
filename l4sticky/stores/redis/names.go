package redis

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// tags has the hash tags of sessions, a character each. A cluster keeps all keys with the same tag at one node, so that those of
// many sessions can be in one command.
const tags = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"

// hashOf returns the hash of a client, which is the same at all nodes.
func hashOf(client netip.Addr) uint64 {
	bytes := client.As16()
	return xxhash.Sum64(bytes[:])
}

// The names of a pool's keys, and of its channel. Where the pool's own name has more than letters, digits and `-_.~`, it is escaped as in
// a URL's query.
type names struct {
	sessions                     string // what their keys begin with, up to the tag
	nodes, settings, generations string
	channel                      string
}

func namesOf(prefix, pool string) names {
	pool = url.QueryEscape(pool)
	meeting := prefix + ":{" + pool + "}:"
	return names{
		sessions:    prefix + ":" + pool + "{",
		nodes:       meeting + "nodes",
		settings:    meeting + "settings",
		generations: meeting + "generation",
		channel:     prefix + ":" + pool + ":news",
	}
}

// session returns the key of a client's session, such as `sticky:default{k}10.1.2.3`.
func (n *names) session(client netip.Addr) string { return string(n.appendSession(nil, client)) }

func (n *names) appendSession(to []byte, client netip.Addr) []byte {
	to = append(append(to, n.sessions...), tags[hashOf(client)%uint64(len(tags))], '}')
	if client.Zone() != "" {
		return append(to, escape(client.String())...)
	}
	return client.AppendTo(to)
}

// sessionsOf returns the keys of the sessions of some updates, which are given by their indices. They share their memory.
func (n *names) sessionsOf(updates []stores.Update, groups [][]int) []string {
	count := 0
	for _, of := range groups {
		count += len(of)
	}
	const address = 16 // a longer one makes the memory grow
	var text strings.Builder
	text.Grow(count * (len(n.sessions) + 2 + address))
	keys, key := make([]string, 0, count), make([]byte, 0, 128)
	for _, of := range groups {
		for _, i := range of {
			from := text.Len()
			text.Write(n.appendSession(key, updates[i].Client))
			keys = append(keys, text.String()[from:])
		}
	}
	return keys
}

var (
	escaper   = strings.NewReplacer("%", "%25", " ", "%20")
	unescaper = strings.NewReplacer("%25", "%", "%20", " ")
)

// escape returns a word without blanks, as which records and news have clients, targets and nodes.
func escape(text string) string {
	if strings.ContainsAny(text, "% ") {
		return escaper.Replace(text)
	}
	return text
}

func unescape(word string) string { return unescaper.Replace(word) }

// parseNews reads a message of a pool's channel, and reports whether it is one and from which node.
func parseNews(message string) (node string, news stores.News, ok bool) {
	kind, rest, _ := strings.Cut(message, " ")
	node, rest, _ = strings.Cut(rest, " ")
	subject, rest, ok := strings.Cut(rest, " ")
	node, subject = unescape(node), unescape(subject)
	switch kind {
	case "session":
		client, err := netip.ParseAddr(subject)
		return node, stores.News{Client: client, Target: unescape(rest)}, ok && err == nil
	case "setting":
		return node, stores.News{Target: subject, Setting: rest}, ok && subject != ""
	}
	return "", stores.News{}, false
}
