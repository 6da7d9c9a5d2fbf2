package phonehttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dialtone/models"
	"dialtone/provisioner"
)

const (
	maxDrained  = 1 << 20  // bytes of an upload that are read only to be sent again
	uploadPiece = 32 << 10 // bytes that are read at once
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
	if err != nil || v.Store.failed != nil {
		return cmp.Or(err, v.Store.failed)
	}
	if err := plainBody(v.r.Header); err != nil {
		return err
	}
	if v.r.ContentLength > rule.Upload.MaxBytes {
		return errTooLarge
	}
	slots := v.bounds(uploadSlots, deviceUploads)
	if err := v.uploads.take(1, slots); err != nil {
		return err
	}
	defer v.uploads.give(1, slots)
	body, release, err := v.readBody(rule.Upload.MaxBytes)
	defer release()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(v.untimed.Context(), requestTimeout) // the body may have taken long
	defer cancel()
	upload := &models.Upload{
		DeviceID:    v.phone.Device.ID,
		MAC:         v.want.MAC,
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
	rule, known := v.want.Rule(v.phone.Device)
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

// readBody reads the body, and no more than the limit. Each piece counts as
// memory in use once it is there, until release is called.
func (v *visit) readBody(limit int64) (body []byte, release func(), err error) {
	memory := v.bounds(uploadMemory, 0)
	release = func() { v.bodies.give(v.received, memory) }
	control := http.NewResponseController(v.w.ResponseWriter)
	defer v.untilStopped(control.SetReadDeadline)()
	arriving := &pacedReader{visit: v, begun: time.Now()}
	piece := make([]byte, uploadPiece)
	for {
		n, err := arriving.Read(piece)
		if v.received+int64(n) > limit {
			return nil, release, errTooLarge
		}
		if err := v.bodies.take(int64(n), memory); err != nil {
			return nil, release, err
		}
		v.received += int64(n)
		body = append(body, piece[:n]...)
		if errors.Is(err, io.EOF) {
			_ = control.SetReadDeadline(time.Time{}) // what follows has a time of its own
			_ = control.SetWriteDeadline(time.Now().Add(v.pace.stall))
			return body, release, nil
		}
		if err != nil {
			v.w.broken = true
			return nil, release, fmt.Errorf("%w: %w", errCutOff, err)
		}
	}
}

// stored is what the phone itself put under the name that it asks for. Nobody
// knows what is in it, so it counts as secret.
func (v *visit) stored() (file provisioner.File, found bool, err error) {
	rule, known := v.want.Rule(v.phone.Device)
	if !known || rule.Upload == nil || v.Store.failed == nil && !slices.Contains(v.phone.Uploads, v.want.Name) {
		return provisioner.File{}, false, nil
	}
	u, err := v.Store.Upload(v.r.Context(), v.phone.Device.ID, v.want.Name)
	if errors.Is(err, models.ErrNotFound) {
		return provisioner.File{}, false, nil
	}
	if err != nil {
		return provisioner.File{}, false, err
	}
	return provisioner.File{Name: u.Name, Role: rule.Role, ContentType: u.ContentType, ETag: u.ETag, Body: u.Body, Secret: true}, true, nil
}

// drain reads an upload that is refused for want of credentials: a small client
// looks for the answer only after the last byte. One that waits for
// "100 Continue" sends nothing before.
func (v *visit) drain() {
	if v.isUpload() && v.r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, v.r.Body, maxDrained)
	}
}
