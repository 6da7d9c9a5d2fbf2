package api

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
)

//go:embed openapi.yaml docs
var docFiles embed.FS

// docsPolicy lets the documentation page run nothing but its own scripts and
// speak to nothing but this server. Swagger UI's images are data: URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Content types by the ending of a file's name; the rest is plain text.
var docTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/schema+json",
	".png":  "image/png",
	".yaml": "application/yaml",
}

// A docFile is one file of the API's own documentation.
type docFile struct {
	contentType string
	etag        string // quoted
	body        []byte
}

// loadDocs reads the files by the path of the URL they are served at.
func loadDocs() (map[string]docFile, error) {
	files := map[string]docFile{}
	for _, fsys := range []fs.FS{docFiles, schemaFiles} {
		err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			body, err := fs.ReadFile(fsys, name)
			if err != nil {
				return err
			}
			files["/"+name] = docFile{
				contentType: cmp.Or(docTypes[path.Ext(name)], "text/plain; charset=utf-8"),
				etag:        strconv.Quote(hash(body)),
				body:        body,
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("documentation: %w", err)
		}
	}
	files["/docs"] = files["/docs/index.html"]
	return files, nil
}

// doc serves GET /openapi.yaml, /schemas/{file}, /docs and /docs/{file}. They
// hold no secret and need no token.
func (s *server) doc(c *gin.Context) {
	file, ok := s.docs[c.Request.URL.Path]
	if !ok {
		s.writeError(c, requestOf(c), fault("not_found", "no such path"))
		return
	}
	h := c.Writer.Header()
	h.Set("Content-Type", file.contentType)
	h.Set("ETag", file.etag)
	h.Set("Cache-Control", "no-cache") // ask again, by ETag
	h.Set("Content-Security-Policy", docsPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(file.body))
}
