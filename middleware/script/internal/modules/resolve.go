package modules

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Find returns the real path of the script that is meant by a path, as by require. It returns an error if there is none.
func Find(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("script %s: %w", path, err)
	}
	found := AsFileOrFolder(absolute)
	if found == "" {
		return "", fmt.Errorf("cannot find the file %s", absolute)
	}
	absolute = found
	if target, err := Real(absolute); err == nil {
		absolute = target // else reading it tells what is wrong
	}
	return absolute, nil
}

// Resolve finds the file that a module in a folder means by a name, as Node does for require. It knows files only: an
// error tells if the name is that of a module of Node.
func Resolve(folder, name string) (string, error) {
	if IsPath(name) {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(folder, name)
		}
		if found := AsFileOrFolder(path); found != "" && !strings.HasSuffix(name, "/") {
			return Real(found)
		} else if found := asFolder(path); found != "" {
			return Real(found)
		}
		return "", fmt.Errorf("cannot find the module %q from %s", name, folder)
	}
	for _, packages := range PackageFolders(folder) {
		if found, err := inPackages(packages, name); err != nil {
			return "", err
		} else if found != "" {
			return Real(found)
		}
	}
	if bare, ok := NodeModule(name); ok {
		return "", fmt.Errorf("the module %q needs runtime node", bare)
	}
	return "", fmt.Errorf("cannot find the module %q from %s", name, folder)
}

// IsPath tells the paths of files from the names of packages.
func IsPath(name string) bool {
	return name == "." || name == ".." || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") || filepath.IsAbs(name)
}

// PackageFolders are the folders in which a module in a folder finds packages, the nearest first.
func PackageFolders(folder string) (folders []string) {
	for at := folder; ; at = filepath.Dir(at) {
		if filepath.Base(at) != "node_modules" {
			folders = append(folders, filepath.Join(at, "node_modules"))
		}
		if at == filepath.Dir(at) {
			return folders
		}
	}
}

// nodeModules are Node's modules, to tell one that a runtime lacks from a package that is not there.
var nodeModules = func() map[string]bool {
	all := make(map[string]bool)
	for _, name := range strings.Fields(`assert assert/strict async_hooks buffer child_process cluster console constants crypto dgram
		diagnostics_channel dns dns/promises domain events fs fs/promises http http2 https inspector inspector/promises module net os path
		path/posix path/win32 perf_hooks process punycode querystring readline readline/promises repl stream stream/consumers
		stream/promises stream/web string_decoder sys timers timers/promises tls trace_events tty url util util/types v8 vm wasi
		worker_threads zlib`) {
		all[name] = true
	}
	return all
}()

// NodeModule reports whether a name is that of a module of Node, such as `fs` or `node:test`, and returns it without
// `node:`.
func NodeModule(name string) (bare string, ok bool) {
	bare, ok = strings.CutPrefix(name, "node:")
	return bare, ok || nodeModules[bare]
}

// Real names a file as Node does, so that one file is one module.
func Real(path string) (string, error) { return filepath.EvalSymlinks(path) }

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// asFile adds the ending that a file has.
func asFile(path string) string {
	for _, ending := range []string{"", ".js", ".json", ".cjs", ".mjs"} {
		if isFile(path + ending) {
			return path + ending
		}
	}
	return ""
}

// AsFileOrFolder finds the file that a path means, with its ending left off or as a folder. It returns nothing if there is none.
func AsFileOrFolder(path string) string {
	if found := asFile(path); found != "" {
		return found
	}
	return asFolder(path)
}

func asFolder(path string) string {
	if main := readManifest(path).Main; main != "" {
		if found := asFile(filepath.Join(path, main)); found != "" {
			return found
		} else if found := asFile(filepath.Join(path, main, "index")); found != "" {
			return found
		}
	}
	return asFile(filepath.Join(path, "index"))
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

// inPackages looks for name in a folder node_modules. It returns nothing if the package is not there.
func inPackages(folder, name string) (string, error) {
	parts := strings.SplitN(name, "/", 3)
	length := 1
	if strings.HasPrefix(name, "@") {
		length = 2
	}
	if len(parts) < length {
		return "", nil
	}
	packageName := strings.Join(parts[:length], "/")
	root := filepath.Join(folder, filepath.FromSlash(packageName))
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return asFile(root), nil
	}
	subpath := "." + strings.TrimPrefix(name, packageName)
	if exports := readManifest(root).Exports; len(exports) > 0 && string(exports) != "null" {
		target := exported(exports, subpath)
		if target == "" {
			return "", fmt.Errorf("the package %q does not export %q", packageName, subpath)
		}
		return filepath.Join(root, filepath.FromSlash(target)), nil
	}
	return AsFileOrFolder(filepath.Join(root, filepath.FromSlash(subpath))), nil
}

// exported finds a subpath such as "." or "./lib/x" in the exports of a package.json.
func exported(exports json.RawMessage, subpath string) string {
	names, paths := ordered(exports)
	if len(names) == 0 || !strings.HasPrefix(names[0], ".") {
		if subpath != "." {
			return ""
		}
		return condition(exports, "")
	}
	best, rest := -1, ""
	for i, name := range names {
		if name == subpath {
			return condition(paths[i], "")
		}
		before, after, pattern := strings.Cut(name, "*")
		if !pattern || !strings.HasPrefix(subpath, before) || !strings.HasSuffix(subpath, after) || len(subpath) < len(before)+len(after) {
			continue
		}
		if best < 0 || len(name) > len(names[best]) {
			best, rest = i, subpath[len(before):len(subpath)-len(after)]
		}
	}
	if best < 0 {
		return ""
	}
	return condition(paths[best], rest)
}

// condition takes from a target of exports what require gets. A star in it stands for rest.
func condition(target json.RawMessage, rest string) string {
	var path string
	if json.Unmarshal(target, &path) == nil {
		return strings.ReplaceAll(path, "*", rest)
	}
	var list []json.RawMessage
	if json.Unmarshal(target, &list) == nil {
		for _, one := range list {
			if found := condition(one, rest); found != "" {
				return found
			}
		}
		return ""
	}
	names, targets := ordered(target)
	for i, name := range names {
		if name == "node" || name == "require" || name == "default" {
			if found := condition(targets[i], rest); found != "" {
				return found
			}
		}
	}
	return ""
}

// ordered returns the keys of a JSON object in their order, which counts in exports, and the values.
func ordered(object json.RawMessage) (keys []string, values []json.RawMessage) {
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, nil
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return keys, values
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return keys, values
		}
		keys = append(keys, key.(string))
		values = append(values, value)
	}
	return keys, values
}
