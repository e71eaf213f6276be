package modules

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Find returns the real path of the script that is meant by a path, as by require. It returns an error if there is none.
func Find(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("script %s: %w", path, err)
	}
	found := asFileOrFolder(absolute)
	if found == "" {
		return "", fmt.Errorf("cannot find the file %s", absolute)
	}
	return filepath.EvalSymlinks(found)
}

// Resolve finds the file that a module in a folder means by a name, as Node does for require. It knows files only: an
// error tells if the name is that of a module of Node. The path is the file's real one, so that one file is one module.
func Resolve(folder, name string) (string, error) {
	found, err := search(folder, name)
	if err != nil {
		return "", err
	}
	if found != "" {
		return filepath.EvalSymlinks(found)
	}
	if bare, ok := nodeModule(name); ok {
		return "", fmt.Errorf("the module %q needs runtime node", bare)
	}
	return "", fmt.Errorf("cannot find the module %q from %s", name, folder)
}

// search finds what Resolve does. It returns nothing if there is no such file.
func search(folder, name string) (string, error) {
	if isPath(name) {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(folder, name)
		}
		if strings.HasSuffix(name, "/") {
			return asFolder(path), nil
		}
		return asFileOrFolder(path), nil
	}
	for at, below := folder, ""; at != below; at, below = filepath.Dir(at), at {
		if filepath.Base(at) == "node_modules" {
			continue
		}
		if found, err := inPackages(filepath.Join(at, "node_modules"), name); found != "" || err != nil {
			return found, err
		}
	}
	return "", nil
}

// isPath tells the paths of files from the names of packages.
func isPath(name string) bool {
	return name == "." || name == ".." || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") || filepath.IsAbs(name)
}

// nodeModules are Node's modules, to tell one that a runtime lacks from a package that is not there.
var nodeModules = strings.Fields(`assert assert/strict async_hooks buffer child_process cluster console constants crypto dgram
	diagnostics_channel dns dns/promises domain events fs fs/promises http http2 https inspector inspector/promises module net os path
	path/posix path/win32 perf_hooks process punycode querystring readline readline/promises repl stream stream/consumers
	stream/promises stream/web string_decoder sys timers timers/promises tls trace_events tty url util util/types v8 vm wasi
	worker_threads zlib`)

// nodeModule reports whether a name is that of a module of Node, such as `fs` or `node:test`, and returns it without
// `node:`.
func nodeModule(name string) (bare string, ok bool) {
	bare, ok = strings.CutPrefix(name, "node:")
	return bare, ok || slices.Contains(nodeModules, bare)
}

// asFile adds the ending that a file has. It returns nothing if there is no such file.
func asFile(path string) string {
	for _, ending := range []string{"", ".js", ".json", ".cjs", ".mjs"} {
		if info, err := os.Stat(path + ending); err == nil && !info.IsDir() {
			return path + ending
		}
	}
	return ""
}

// asFileOrFolder finds the file that a path means, with its ending left off or as a folder.
func asFileOrFolder(path string) string {
	if found := asFile(path); found != "" {
		return found
	}
	return asFolder(path)
}

// asFolder finds the file that a folder means.
func asFolder(path string) string {
	index := asFile(filepath.Join(path, "index"))
	if main := readManifest(path).Main; main != "" {
		main = filepath.Join(path, main)
		return cmp.Or(asFile(main), asFile(filepath.Join(main, "index")), index)
	}
	return index
}

// manifest is what counts in a package.json.
type manifest struct {
	Main    string          `json:"main"`
	Exports json.RawMessage `json:"exports"`
}

func readManifest(folder string) (m manifest) {
	text, err := ReadFile(filepath.Join(folder, "package.json"), maxFile)
	if err == nil {
		_ = json.Unmarshal(text, &m) // what makes no sense is as if it were not there
	}
	return m
}

// packageNames finds the name of a package that the name of a module begins with.
var packageNames = regexp.MustCompile(`^(@[^/]+/)?[^/]+`)

// inPackages looks for name in a folder node_modules. It returns nothing if the package is not there.
func inPackages(folder, name string) (string, error) {
	packageName := packageNames.FindString(name)
	root, subpath := filepath.Join(folder, packageName), "."+name[len(packageName):]
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return asFile(root), nil
	}
	if exports := readManifest(root).Exports; len(exports) > 0 && string(exports) != "null" {
		target := exported(exports, subpath)
		if target == "" {
			return "", fmt.Errorf("the package %q does not export %q", packageName, subpath)
		}
		return filepath.Join(root, target), nil
	}
	return asFileOrFolder(filepath.Join(root, subpath)), nil
}

// exported finds a subpath such as "." or "./lib/x" in the exports of a package.json. It returns nothing if it is not among them.
func exported(exports json.RawMessage, subpath string) string {
	targets := make(map[string]json.RawMessage)
	for name, target := range members(exports) {
		if strings.HasPrefix(name, ".") {
			targets[name] = target
		}
	}
	if len(targets) == 0 {
		targets["."] = exports
	}
	if target, ok := targets[subpath]; ok {
		return condition(target, "")
	}
	var best, start, rest string // the name with the longest start before its star counts
	for name := range targets {
		before, after, isPattern := strings.Cut(name, "*")
		end, begins := strings.CutPrefix(subpath, before)
		middle, ends := strings.CutSuffix(end, after)
		if isPattern && begins && ends && cmp.Or(len(before)-len(start), len(name)-len(best)) > 0 {
			best, start, rest = name, before, middle
		}
	}
	return condition(targets[best], rest)
}

// condition takes from a target of exports what require gets. A star in it stands for rest.
func condition(target json.RawMessage, rest string) string {
	var path string
	if json.Unmarshal(target, &path) == nil {
		return strings.ReplaceAll(path, "*", rest)
	}
	var choices []json.RawMessage
	_ = json.Unmarshal(target, &choices)
	for name, choice := range members(target) {
		if name == "node" || name == "require" || name == "default" {
			choices = append(choices, choice)
		}
	}
	for _, choice := range choices {
		if found := condition(choice, rest); found != "" {
			return found
		}
	}
	return ""
}

// members goes through those of a JSON object in their order, which counts in exports. Anything else has none.
func members(object json.RawMessage) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		decoder := json.NewDecoder(bytes.NewReader(object))
		if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
			return
		}
		for decoder.More() {
			name, _ := decoder.Token() // it is valid JSON, as a RawMessage is
			var value json.RawMessage
			if decoder.Decode(&value) != nil || !yield(name.(string), value) {
				return
			}
		}
	}
}
