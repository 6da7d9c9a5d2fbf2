package provisioner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"dialtone/models"
)

// The bounds of a phonebook.
const (
	maxPhonebookUsers   = 10_000 // of an account, by id, that are looked at
	maxPhonebookEntries = 1_000  // unless the model has room for fewer
	phonebookPage       = 500    // users read at once
)

// A phonebookEntry is a user of the account that can be called.
type phonebookEntry struct {
	Name, Number        string
	FirstName, LastName string
}

// phonebook reads the entries for a file that has them in it, by name, each
// number once, and as many as the model has room for.
func (s *Service) phonebook(ctx context.Context, accountID string, rule *FileRule, model Model) ([]phonebookEntry, error) {
	if !rule.Phonebook {
		return nil, nil
	}
	var entries []phonebookEntry
	after := ""
	for read := 0; read < maxPhonebookUsers; read += phonebookPage {
		users, err := s.store.Users(ctx, accountID, after, phonebookPage)
		if err != nil {
			return nil, fmt.Errorf("account %s, phonebook: %w", accountID, err)
		}
		entries = append(entries, phonebookEntries(users)...)
		if len(users) < phonebookPage {
			break
		}
		after = users[len(users)-1].ID
	}
	slices.SortFunc(entries, func(a, b phonebookEntry) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Number, b.Number))
	})
	entries = oncePerNumber(entries)
	return entries[:min(len(entries), cmp.Or(model.PhonebookEntries, maxPhonebookEntries))], nil
}

// oncePerNumber keeps the first entry of each number.
func oncePerNumber(entries []phonebookEntry) []phonebookEntry {
	seen := map[string]bool{}
	return slices.DeleteFunc(entries, func(e phonebookEntry) bool {
		again := seen[e.Number]
		seen[e.Number] = true
		return again
	})
}

// phonebookEntries are those of the users who have a name and an extension, are
// not disabled and want to be listed.
func phonebookEntries(users []*models.User) []phonebookEntry {
	var entries []phonebookEntry
	for _, u := range users {
		number, _, _ := strings.Cut(u.PresenceID, "@")
		if !u.Enabled.On() || number == "" || u.Label() == "" || u.Document.Flag("contact_list.exclude", false) {
			continue
		}
		entries = append(entries, phonebookEntry{Name: u.Label(), Number: number, FirstName: u.FirstName, LastName: u.LastName})
	}
	return entries
}

func (in viewInput) phonebookView() view {
	entries := []any{}
	for _, e := range in.phonebook {
		entries = append(entries, view{"name": e.Name, "number": e.Number, "first_name": e.FirstName, "last_name": e.LastName})
	}
	return view{"name": in.account.Name, "entries": entries, "url": in.phonebookURL()}
}

// phonebookURL is where the phone finds the first file with the phonebook in it
// that its brand has for it; "" when there is none.
func (in viewInput) phonebookURL() string {
	if in.server.URL == "" {
		return ""
	}
	mac, own := models.MAC{}, false
	if in.device != nil {
		mac, own = in.device.MAC()
	}
	for _, file := range in.brand.deviceFiles(in.model, mac) {
		if file.rule.Phonebook && (own || !file.rule.PerDevice()) {
			return in.server.URL + file.name
		}
	}
	return ""
}
