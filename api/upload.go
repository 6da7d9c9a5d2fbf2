package api

import (
	"context"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"dialtone/models"
)

// listUploads serves GET .../devices/{D}/uploads: what the phone stored.
func (s *server) listUploads(ctx context.Context, r *request) (*answer, error) {
	d, err := s.device(ctx, r)
	if err != nil {
		return nil, err
	}
	kept, err := s.Store.Uploads(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	return listed(s.publicUploads(d, kept), nil), nil
}

// downloadUpload serves GET .../devices/{D}/uploads/{name}: the bytes. They may
// hold passwords: who gets them is written down before.
func (s *server) downloadUpload(ctx context.Context, r *request) (*answer, error) {
	d, err := s.device(ctx, r)
	if err != nil {
		return nil, err
	}
	name := r.uploadName()
	upload, err := s.Store.Upload(ctx, d.ID, name)
	if err != nil {
		return nil, notFound(err, name)
	}
	err = s.Store.Audit(ctx, models.AuditEntry{
		AccountID: d.AccountID, Kind: models.KindDevice, ObjectID: d.ID, Action: models.ActionReveal, Revision: d.Revision, Detail: name,
	})
	if err != nil {
		return nil, err
	}
	return &answer{etag: upload.ETag, file: upload}, nil
}

// clearUpload serves DELETE .../devices/{D}/uploads/{name}.
func (s *server) clearUpload(ctx context.Context, r *request) (*answer, error) {
	d, err := s.device(ctx, r)
	if err != nil {
		return nil, err
	}
	name := r.uploadName()
	gone, err := s.Store.DeleteUploads(ctx, d, func(u models.Upload) bool { return u.Name == name })
	if err == nil && len(gone) == 0 {
		err = models.ErrNotFound
	}
	if err != nil {
		return nil, notFound(err, name)
	}
	return ok(s.publicUploads(d, gone)[0]), nil
}

// clearUploads serves DELETE .../devices/{D}/uploads: all of them, or only the
// overrides.
func (s *server) clearUploads(ctx context.Context, r *request) (*answer, error) {
	d, err := s.device(ctx, r)
	if err != nil {
		return nil, err
	}
	catalog, all := s.Catalog(), r.parameter("overrides") != "true"
	gone, err := s.Store.DeleteUploads(ctx, d, func(u models.Upload) bool { return all || catalog.Overrides(d, u.Name) })
	if err != nil {
		return nil, notFound(err, d.ID)
	}
	return ok(s.publicUploads(d, gone)), nil
}

// uploadName is the last part of the path, which may hold slashes.
func (r *request) uploadName() string { return strings.TrimPrefix(r.params.ByName("name"), "/") }

func (s *server) publicUploads(d *models.Device, list []models.Upload) []any {
	catalog := s.Catalog()
	out := make([]any, 0, len(list))
	for _, u := range list {
		out = append(out, publicUpload(u, catalog.Overrides(d, u.Name)))
	}
	return out
}

func publicUpload(u models.Upload, override bool) map[string]any {
	return map[string]any{
		"name":         u.Name,
		"bytes":        u.Bytes,
		"content_type": u.ContentType,
		"etag":         u.ETag,
		"modified":     isoTime(u.Modified),
		"override":     override,
	}
}

// uploadPolicy lets a browser do nothing with an upload: anybody who can reach
// a phone decides what is in it.
const uploadPolicy = "default-src 'none'; sandbox; frame-ancestors 'none'"

// writeUpload answers with the bytes, to be saved and never to be shown.
func writeUpload(c *gin.Context, u *models.Upload) {
	contentType := "application/octet-stream"
	if u.ContentType == "text/plain" && utf8.Valid(u.Body) {
		contentType = "text/plain; charset=utf-8"
	}
	c.Header("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(u.Name)}))
	c.Header("Content-Length", strconv.Itoa(len(u.Body)))
	c.Header("Content-Security-Policy", uploadPolicy)
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Cache-Control", "no-store, private")
	c.Data(http.StatusOK, contentType, u.Body)
}
