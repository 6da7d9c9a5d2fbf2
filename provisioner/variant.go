package provisioner

import (
	"context"
	"errors"
	"maps"

	"dialtone/models"
)

// The layers that a phone's settings come from, lowest first, and what else
// goes into its files.
const (
	LayerManifest = "manifest" // defaults and capabilities
	LayerAccount  = "account"
	LayerOwner    = "owner"
	LayerDevice   = "device"
	LayerLine     = "line"   // the device, or its owner, that makes a further line
	LayerUser     = "user"   // another user, whom a key names
	LayerServer   = "server" // addresses and credentials that the server makes
)

// A documentChange makes another document of a layer's, which is its own copy.
type documentChange func(layer string, doc models.Document) models.Document

// changed is a service and a phone whose documents are changed, everywhere and
// in the manifest's defaults. It keeps nothing.
func (s *Service) changed(phone *models.Phone, change documentChange) (*Service, *models.Phone, error) {
	account := *phone.Account
	err := account.SetDocument(change(LayerAccount, account.Document.Clone()))
	out, ownErr := changedPhone(phone, &account, LayerDevice, LayerOwner, change)
	err = errors.Join(err, ownErr)
	for _, l := range phone.Lines {
		line, lineErr := changedPhone(l.Phone, &account, LayerLine, LayerLine, change)
		out.Lines = append(out.Lines, models.Line{Number: l.Number, Phone: line})
		err = errors.Join(err, lineErr)
	}
	ownerID := ""
	if phone.Owner != nil {
		ownerID = phone.Owner.ID
	}
	other := s.With(s.Catalog().withDefaults(change))
	other.store = changedStore{Store: s.store, change: change, ownerID: ownerID}
	return other, out, err
}

// changedPhone is a device and its owner with changed documents.
func changedPhone(phone *models.Phone, account *models.Account, deviceLayer, ownerLayer string, change documentChange) (*models.Phone, error) {
	device := *phone.Device
	out := &models.Phone{Device: &device, Account: account, Firmware: phone.Firmware}
	err := device.SetDocument(change(deviceLayer, device.Document.Clone()))
	if phone.Owner == nil {
		return out, err
	}
	owner := *phone.Owner
	out.Owner = &owner
	return out, errors.Join(err, owner.SetDocument(change(ownerLayer, owner.Document.Clone())))
}

// withDefaults is the catalog with the defaults of its manifests changed.
func (c *Catalog) withDefaults(change documentChange) *Catalog {
	out := *c
	out.brands = maps.Clone(c.brands)
	for name, b := range c.brands {
		other := *b
		other.defaults = change(LayerManifest, b.defaults.Clone())
		out.brands[name] = &other
	}
	return &out
}

// changedStore changes what it reads for a phone.
type changedStore struct {
	Store
	change  documentChange
	ownerID string
}

// UsersByID reads users and changes their documents.
func (s changedStore) UsersByID(ctx context.Context, accountID string, ids []string) ([]*models.User, error) {
	return s.changed(s.Store.UsersByID(ctx, accountID, ids))
}

// Users reads users and changes their documents.
func (s changedStore) Users(ctx context.Context, accountID, after string, limit int) ([]*models.User, error) {
	return s.changed(s.Store.Users(ctx, accountID, after, limit))
}

func (s changedStore) changed(users []*models.User, err error) ([]*models.User, error) {
	if err != nil {
		return nil, err
	}
	out := make([]*models.User, len(users))
	for i, u := range users {
		layer := LayerUser
		if u.ID == s.ownerID {
			layer = LayerOwner
		}
		other := *u
		out[i] = &other
		err = errors.Join(err, other.SetDocument(s.change(layer, u.Document.Clone())))
	}
	return out, err
}
