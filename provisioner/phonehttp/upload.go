package phonehttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"dialtone/models"
	"dialtone/provisioner"
)

const (
	uploadMemory = 32 << 20 // bytes of uploads that are read at the same time; more wait
	maxDrained   = 1 << 20  // bytes of an upload that are read only to be sent again
)

var (
	errTooLarge = errors.New("larger than this file may be")
	errPartial  = errors.New("a part of a file cannot be stored")
	errEncoded  = errors.New("only the plain bytes of a file are stored")
	errCutOff   = errors.New("the upload ended early")
)

func (v *visit) isUpload() bool {
	return v.r.Method == http.MethodPut || v.r.Method == http.MethodPost
}

// receive stores what a phone sends under one of its own names.
func (v *visit) receive() error {
	rule, err := v.uploadRule()
	if err != nil {
		return err
	}
	if err := plainBody(v.r.Header); err != nil {
		return err
	}
	release, err := v.reserve(rule.Upload.MaxBytes)
	if err != nil {
		return err
	}
	defer release()
	body, err := v.readBody(rule.Upload.MaxBytes)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(v.untimed.Context(), requestTimeout) // the body may have taken long
	defer cancel()
	upload := &models.Upload{
		DeviceID:    v.phone.Device.ID,
		Name:        v.want.Name,
		ContentType: rule.ContentType,
		ETag:        provisioner.ETag(body),
		Bytes:       int64(len(body)),
		Body:        body,
	}
	created, err := v.Store.SaveUpload(ctx, upload, v.Quota)
	if err != nil {
		return err
	}
	v.etag = upload.ETag
	v.w.Header().Set("ETag", strconv.Quote(upload.ETag))
	if created {
		v.text(http.StatusCreated)
	} else {
		v.w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// uploadRule is the rule by which the phone may store the file.
func (v *visit) uploadRule() (*provisioner.FileRule, error) {
	if err := v.findPhone(); err != nil {
		return nil, err
	}
	rule, known := v.Files.Catalog().Rule(v.phone.Device, v.want.Name)
	if !known {
		return nil, fmt.Errorf("a file of another brand: %w", models.ErrNotFound)
	}
	return rule, v.checkMethod(rule.Upload != nil)
}

// plainBody refuses what would be served back as something else than the phone
// means: a part of a file, a compressed file, a form around it.
func plainBody(h http.Header) error {
	encoding := h.Get("Content-Encoding")
	switch {
	case h.Get("Content-Range") != "":
		return errPartial
	case encoding != "" && encoding != "identity", strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "multipart/"):
		return errEncoded
	}
	return nil
}

// reserve waits until there is room for the body in memory.
func (v *visit) reserve(limit int64) (release func(), err error) {
	size := v.r.ContentLength
	if size > limit {
		return nil, errTooLarge
	}
	if size < 0 {
		size = limit // not told
	}
	if err := v.bodies.Acquire(v.r.Context(), size); err != nil {
		return nil, fmt.Errorf("no room for an upload: %w", err)
	}
	return func() { v.bodies.Release(size) }, nil
}

// readBody reads the body, and no more than the limit.
func (v *visit) readBody(limit int64) ([]byte, error) {
	defer v.untilStopped(http.NewResponseController(v.w.ResponseWriter).SetReadDeadline)()
	body, err := io.ReadAll(http.MaxBytesReader(v.w.ResponseWriter, v.r.Body, limit))
	v.received = int64(len(body))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil:
		v.w.broken = true
		return nil, fmt.Errorf("%w: %w", errCutOff, err)
	}
	return body, nil
}

// stored is what the phone itself put under the name that it asks for.
func (v *visit) stored() (file provisioner.File, found bool, err error) {
	rule, known := v.Files.Catalog().Rule(v.phone.Device, v.want.Name)
	if !known || rule.Upload == nil {
		return provisioner.File{}, false, nil
	}
	u, err := v.Store.Upload(v.r.Context(), v.phone.Device.ID, v.want.Name)
	if errors.Is(err, models.ErrNotFound) {
		return provisioner.File{}, false, nil
	}
	if err != nil {
		return provisioner.File{}, false, err
	}
	return provisioner.File{Name: u.Name, Role: rule.Role, ContentType: u.ContentType, ETag: u.ETag, Body: u.Body}, true, nil
}

// drain reads an upload that is refused for want of credentials: a small client
// looks for the answer only after the last byte. One that waits for
// "100 Continue" sends nothing before.
func (v *visit) drain() {
	if v.isUpload() && v.r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, v.r.Body, maxDrained)
	}
}
