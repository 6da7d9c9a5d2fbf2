package author

import (
	"regexp"
	"slices"
	"strings"

	"dialtone/provisioner"
)

// readingOrder is the files of a phone that it reads as its configuration, in
// the order of its boot; all of them, in the manifest's order, when the boot
// names none.
func readingOrder(m *provisioner.Manifest, t *provisioner.Trial, files []provisioner.Rendering) []*provisioner.Rendering {
	byName := map[string]*provisioner.Rendering{}
	for i := range files {
		byName[strings.ToLower(files[i].Name)] = &files[i]
	}
	var ordered []*provisioner.Rendering
	for _, step := range m.Phone.Boot {
		for _, name := range listed(step, t, byName) {
			if r := byName[fill(name, t)]; r != nil && !slices.Contains(ordered, r) {
				ordered = append(ordered, r)
			}
		}
	}
	if len(ordered) > 0 {
		return ordered
	}
	for i := range files {
		ordered = append(ordered, &files[i])
	}
	return ordered
}

// listed are the configuration files that a step of a boot leads to.
func listed(step provisioner.BootStep, t *provisioner.Trial, byName map[string]*provisioner.Rendering) []string {
	for _, name := range step.Index {
		if index := byName[fill(name, t)]; index != nil {
			return namesIn(index, step.Lists)
		}
	}
	return slices.Concat(step.Otherwise, step.Config)
}

// namesIn reads an index: the comma-separated XML attribute, or the ini
// directive, of that name.
func namesIn(index *provisioner.Rendering, lists string) []string {
	var names []string
	if index.Rule.Format == "xml" {
		for _, s := range attributeSettings(index.Body) {
			if s.name == lists {
				for name := range strings.SplitSeq(s.value, ",") {
					names = append(names, strings.TrimSpace(name))
				}
			}
		}
		return names
	}
	for line := range strings.Lines(string(index.Body)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), lists+" "); ok {
			names = append(names, strings.Trim(strings.TrimSpace(rest), `"<>`))
		}
	}
	return names
}

var placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)

// fill puts the phone's MAC and its model's attributes into a name, which it
// gives in lower case.
func fill(name string, t *provisioner.Trial) string {
	mac, _ := t.Phone.Device.MAC()
	name = strings.ReplaceAll(name, "{MAC}", mac.String())
	return strings.ToLower(placeholder.ReplaceAllStringFunc(name, func(p string) string {
		if p == "{mac}" {
			return mac.String()
		}
		return t.Model.Attributes[strings.Trim(p, "{}")]
	}))
}
