package modules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
)

// relative finds what a file requires by a relative path that stands in it.
var relative = regexp.MustCompile(`\b(?:require|import)\s*\(\s*["'](\.{1,2}/[^"'\n]+)["']\s*\)|\bfrom\s*["'](\.{1,2}/[^"'\n]+)["']`)

// Fingerprint returns a short text that changes with the script at path and with the files that it requires by a
// relative path. It is empty if there is no such script. Files larger than 16 MiB, and those that are no regular
// ones, count as if they were not there.
func Fingerprint(path string) string {
	path, err := Find(path)
	if err != nil {
		return ""
	}
	sum := sha256.New()
	eachFile(path, math.MaxInt, func(path string, text []byte) (more []string) {
		one := sha256.Sum256(text)
		sum.Write(one[:])
		for _, match := range relative.FindAllStringSubmatch(string(text), -1) {
			if found, err := Resolve(filepath.Dir(path), match[1]+match[2]); err == nil {
				more = append(more, found)
			}
		}
		return more
	})
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// maxFile is how much of a file is read by who only looks at a script.
const maxFile = 16 << 20

// ReadFile reads a file unless that is larger than most bytes, has no end or may take forever.
func ReadFile(path string, most int64) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && (!info.Mode().IsRegular() || info.Size() > most) {
		return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", path, most)
	}
	return os.ReadFile(path)
}

// eachFile calls visit with the text of a file and of those whose paths it returns, each once, until it has read most files. What cannot
// be read, or is larger than maxFile, is left out.
func eachFile(path string, most int, visit func(path string, text []byte) (more []string)) {
	seen := map[string]bool{path: true}
	for queue := []string{path}; len(queue) > 0 && most > 0; queue = queue[1:] {
		most--
		text, err := ReadFile(queue[0], maxFile)
		if err != nil {
			continue
		}
		for _, found := range visit(queue[0], text) {
			if !seen[found] {
				seen[found] = true
				queue = append(queue, found)
			}
		}
	}
}
