package main

import (
	"fmt"
	"strconv"
	"strings"
)

// introduction returns the beginning of the page.
func introduction(c config, flags string) string {
	command := strings.TrimSpace("go run ./l4sticky/internal/simulation " + flags)
	return "# How many clients are misplaced\n\n" +
		"This command in the root of the checkout makes this page, with the same counts on every machine:\n\n" +
		"```sh\n" + command + " > l4sticky/internal/simulation/results.md\n```\n\n" +
		fmt.Sprintf("%s clients, %d targets, %d nodes, seed %d. ", thousands(c.clients), c.targets, c.nodes, c.seed) +
		fmt.Sprintf("A client is connected for %v and away for %v in the mean; %g %% of its connections come to a node at random, the others to the one to which the router sends it. ",
			connectedFor, awayFor, 100*toAnyNode) +
		fmt.Sprintf("After a connection was cut, the client comes back within %v. ", rush) +
		fmt.Sprintf("The store answers too late in %g %% of the cases, and in %g %% in the %v after nodes have come or gone. ",
			100*lateUsually, 100*lateInRush, rush) +
		"[doc.go](doc.go) tells what is played.\n\n" +
		"A cell has the connections that were misplaced, and their share of those that returned to a session that lives.\n"
}

// report returns a table of what has happened.
func report(s *scenario, c counts) string {
	var b strings.Builder
	b.WriteString("\n## Routers that send " + map[bool]string{
		false: "only the clients of a lost node elsewhere",
		true:  "all clients elsewhere when the number of nodes changes",
	}[s.rehash] + "\n\n| in two minutes after |")
	for _, w := range ways {
		b.WriteString(" " + w.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(ways)) + "\n")
	for i, p := range s.phases {
		b.WriteString("| " + p.name + " |")
		for w := range ways {
			b.WriteString(" " + c[w][i].String() + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("| in all |")
	for w := range ways {
		b.WriteString(" " + total(c[w]).String() + " |")
	}
	b.WriteString("\n")
	return b.String()
}

// total returns the sum of the counts of all phases.
func total(phases []count) (sum count) {
	for _, n := range phases {
		sum.add(n)
	}
	return sum
}

func (c count) String() string {
	return fmt.Sprintf("%s (%.4f %%)", thousands(c.misplaced), 100*c.share())
}

// share returns the share of the returning connections that were misplaced.
func (c count) share() float64 {
	return float64(c.misplaced) / float64(max(1, c.returning))
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
