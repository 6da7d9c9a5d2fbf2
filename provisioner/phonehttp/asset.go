package phonehttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"dialtone/models"
)

const assetFolder = "assets/" // of a provisioning URL

// Assets are the operator's files for phones: firmware, ring tones, logos,
// languages. They stay in one folder, which links do not leave.
type Assets struct {
	root *os.Root
}

// OpenAssets opens a folder, which must be there.
func OpenAssets(folder string) (*Assets, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	return &Assets{root}, nil
}

// Close ends the use of the folder. Nil has none.
func (a *Assets) Close() error {
	if a == nil {
		return nil
	}
	return a.root.Close()
}

// open opens a file for reading. Whatever is no plain file in the folder is
// ErrNotFound.
func (a *Assets) open(name string) (*os.File, fs.FileInfo, error) {
	info, err := a.root.Stat(name) // first: opening a pipe would wait for its other end
	if err != nil {
		return nil, nil, assetErr(err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("no plain file: %w", models.ErrNotFound)
	}
	file, err := a.root.Open(name)
	if err != nil {
		return nil, nil, assetErr(err)
	}
	if info, err = file.Stat(); err != nil { // of what was opened
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

// assetErr tells what is wrong with the machine from what is wrong with a name.
func assetErr(err error) error {
	for _, ours := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO} {
		if errors.Is(err, ours) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", models.ErrNotFound, err)
}

// assetName is the path of an asset below its folder, from the escaped path
// below the provisioning URL: with or without "assets/" in front, since some
// phones ask for firmware beside their configuration. Escapes are for blanks
// and letters; those of dots and slashes, and hidden files, have no name.
func assetName(escaped string) (string, bool) {
	name, err := url.PathUnescape(escaped)
	if err != nil || strings.Count(name, "/") != strings.Count(escaped, "/") || strings.Count(name, ".") != strings.Count(escaped, ".") {
		return "", false
	}
	odd := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == '%' || r == utf8.RuneError }
	name = strings.TrimPrefix(name, assetFolder)
	if strings.ContainsFunc(name, odd) || !fs.ValidPath(name) || strings.HasPrefix(name, ".") || strings.Contains(name, "/.") {
		return "", false
	}
	return name, true
}

// assetTypes are the content types by the ending of a name. The rest, scripts
// and pages among it, is only bytes.
var assetTypes = map[string]string{
	".bmp":  "image/bmp",
	".cfg":  "text/plain; charset=utf-8",
	".gif":  "image/gif",
	".jpeg": "image/jpeg",
	".jpg":  "image/jpeg",
	".mp3":  "audio/mpeg",
	".png":  "image/png",
	".txt":  "text/plain; charset=utf-8",
	".wav":  "audio/wav",
	".xml":  "application/xml",
}

// serveAsset sends one of the operator's files.
func (v *visit) serveAsset(escaped string) error {
	v.asset = true
	name, ok := assetName(escaped)
	if !ok {
		return models.ErrNotFound
	}
	if _, known := v.Files.Match(name); known {
		return models.ErrNotFound // a manifest's name in escapes
	}
	slots := v.bounds(maxAssets, deviceAssets)
	if err := v.assets.take(1, slots); err != nil {
		return err
	}
	defer v.assets.give(1, slots)
	file, info, err := v.Assets.open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	v.want.Name = assetFolder + name
	v.etag = fmt.Sprintf("%x-%x", info.ModTime().UnixNano(), info.Size())
	h := v.w.Header()
	h.Set("Content-Type", cmp.Or(assetTypes[strings.ToLower(path.Ext(name))], "application/octet-stream"))
	h.Set("ETag", `"`+v.etag+`"`)
	h.Set("Cache-Control", "private, no-cache")
	v.send(file, info.ModTime())
	return nil
}

// send streams a file; ServeContent sees to HEAD, ranges and conditions.
func (v *visit) send(file *os.File, modified time.Time) {
	control := http.NewResponseController(v.w.ResponseWriter)
	defer v.untilStopped(control.SetWriteDeadline)()
	http.ServeContent(&pacedWriter{v.w, v.w, control, v.pace, time.Now(), v.untimed.Context().Err}, v.untimed, "", modified, file)
}

// untilStopped has reading or writing of the connection fail as soon as the
// phone or the server has had enough. The function it returns ends that.
func (v *visit) untilStopped(setDeadline func(time.Time) error) func() bool {
	return context.AfterFunc(v.untimed.Context(), func() { _ = setDeadline(time.Now()) })
}

// A pacedWriter sends to a phone that has to keep up the pace.
type pacedWriter struct {
	http.ResponseWriter // answer, of which nothing but this is seen: no copy goes past Write
	answer              *responseWriter
	control             *http.ResponseController
	pace                pace
	begun               time.Time
	stopped             func() error // why there is nothing more to write, nil = go on
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(w.pace.deadline(w.begun, w.answer.bytes)) // a connection can; others have none
	if err := w.stopped(); err != nil {
		w.answer.broken = true
		return 0, err
	}
	return w.answer.Write(p)
}
