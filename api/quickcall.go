package api

import "context"

// quickcall serves .../quickcall/{number}: this server places no calls.
func quickcall(context.Context, *request) (*answer, error) {
	return nil, fault("not_implemented", "quick calls need a media switch, which this server has not")
}
