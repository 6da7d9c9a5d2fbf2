package api

import (
	"context"
	"errors"
	"maps"
	"strings"

	"dialtone/models"
	"dialtone/provisioner"
)

// previewFile serves GET .../devices/{D}/provision/files/{name}: a file as the
// phone is given it. Secrets are masked unless reveal is "true", and who had
// them revealed is written down before they are.
func (s *server) previewFile(ctx context.Context, r *request) (*answer, error) {
	phone, err := s.phone(ctx, r)
	if err != nil {
		return nil, err
	}
	name := strings.TrimPrefix(r.params.ByName("name"), "/")
	reveal := r.parameter("reveal") == "true"
	file, explained, err := s.previewed(ctx, r, phone, name, reveal)
	if err != nil {
		return nil, notRendered(err, name)
	}
	if reveal {
		err := s.Store.Audit(ctx, models.AuditEntry{
			AccountID: phone.Account.ID, Kind: models.KindDevice, ObjectID: phone.Device.ID,
			Action: models.ActionReveal, Revision: phone.Device.Revision, Detail: file.Name,
		})
		if err != nil {
			return nil, err
		}
	}
	out := publicPreview(file, reveal)
	maps.Copy(out, explained)
	return ok(out), nil
}

// previewed is the file and, when it is asked for, its explanation.
func (s *server) previewed(ctx context.Context, r *request, phone *models.Phone, name string, reveal bool) (provisioner.File, map[string]any, error) {
	if r.parameter("explain") != "true" {
		f, err := s.Preview(ctx, phone, name, reveal)
		return f, nil, err
	}
	e, err := s.Explain(ctx, phone, name, reveal)
	if err == nil && e.Mistake != "" {
		err = &provisioner.FileError{File: e.Template, Reason: e.Mistake}
	}
	lines := []any{}
	for _, line := range e.Lines {
		lines = append(lines, publicLine(line))
	}
	return e.File, map[string]any{"lines": lines, "complete": !e.Incomplete}, err
}

func publicLine(line provisioner.ExplainedLine) map[string]any {
	templates, origins := []any{}, []any{}
	for _, source := range line.Sources {
		templates = append(templates, map[string]any{"file": source.File, "line": source.Line})
	}
	for _, origin := range line.Origins {
		origins = append(origins, map[string]any{"layer": origin.Layer, "member": origin.Member})
	}
	return map[string]any{"text": line.Text, "templates": templates, "origins": origins}
}

// notRendered names the file that there is not, or the mistake in a template.
func notRendered(err error, name string) error {
	var mistake *provisioner.FileError
	if errors.As(err, &mistake) {
		return fault("template_error", mistake.Error())
	}
	return notFound(err, name)
}

// publicPreview tells the ETag only of a file as phones see it.
func publicPreview(f provisioner.File, revealed bool) map[string]any {
	out := map[string]any{
		"role":         f.Role,
		"name":         f.Name,
		"content_type": f.ContentType,
		"bytes":        len(f.Body),
		"revealed":     revealed,
		"body":         string(f.Body),
	}
	if revealed {
		out["etag"] = f.ETag
	}
	return out
}
