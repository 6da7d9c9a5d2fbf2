package author

import (
	"context"
	"fmt"
	"slices"

	"dialtone/internal/nearest"
	"dialtone/models"
	"dialtone/provisioner"
)

// An ExplainedSetting is a line that sets a parameter.
type ExplainedSetting struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Text     string   `json:"text"`
	Template string   `json:"template"` // file:line:column
	From     []string `json:"from"`     // what its line depends on: "device sip.username"

	Incomplete bool `json:"incomplete,omitempty"` // there was too much to try: it may depend on more
}

// Explain tells where a parameter of a phone's files comes from, secrets
// masked.
func Explain(ctx context.Context, catalog *provisioner.Catalog, service *provisioner.Service, phone *models.Phone, parameter string) ([]ExplainedSetting, error) {
	manifest, ok := catalog.Manifest(phone.Device.Provision.Brand)
	if !ok {
		return nil, fmt.Errorf("brand %q: %w", phone.Device.Provision.Brand, models.ErrNotFound)
	}
	var found []ExplainedSetting
	var names []string
	for _, file := range service.FilesOf(phone) {
		r, err := service.Trace(ctx, phone, file.Name)
		if err != nil {
			return nil, err
		}
		settings := settingsOf(r.Body, file.Rule, manifest.Parameters)
		for _, s := range settings {
			names = append(names, s.name)
		}
		if !slices.ContainsFunc(settings, func(s setting) bool { return s.name == parameter }) {
			continue
		}
		explained, err := explainFile(ctx, catalog, service, phone, file.Name, parameter, manifest.Parameters)
		if err != nil {
			return nil, err
		}
		found = append(found, explained...)
	}
	if len(found) == 0 {
		return nil, &provisioner.FileError{File: "parameter " + parameter, Reason: "no file of the device sets it", Hint: nearest.Hint(parameter, names)}
	}
	return found, nil
}

func explainFile(ctx context.Context, catalog *provisioner.Catalog, service *provisioner.Service, phone *models.Phone, name, parameter string, rules provisioner.ParameterRules) ([]ExplainedSetting, error) {
	wanted := func(r provisioner.Rendering) []setting {
		return slices.DeleteFunc(settingsOf(r.Body, r.Rule, rules), func(s setting) bool { return s.name != parameter || s.line > len(r.Lines) })
	}
	e, err := service.ExplainLines(ctx, phone, name, func(r provisioner.Rendering) []int {
		var lines []int
		for _, s := range wanted(r) {
			lines = append(lines, s.line-1)
		}
		return lines
	})
	if err != nil {
		return nil, err
	}
	var found []ExplainedSetting
	for _, s := range wanted(e.Rendering) {
		line := e.Lines[s.line-1]
		source, column := placeOf(catalog, line.TracedLine, s.name)
		from := []string{}
		for _, origin := range line.Origins {
			from = append(from, origin.Layer+" "+origin.Member)
		}
		place := provisioner.FileError{File: source.File, Line: source.Line, Column: column}
		found = append(found, ExplainedSetting{name, s.line, line.Text, place.Place(), from, e.Incomplete})
	}
	return found, nil
}
