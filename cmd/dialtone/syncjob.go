package main

import (
	"context"

	"dialtone/models"
	"dialtone/provisioner"
	"dialtone/sip"
	"dialtone/syncjob"
)

// syncJobs is the runner of bulk jobs: it knows neither SIP nor templates.
func (s *server) syncJobs() *syncjob.Runner {
	return syncjob.New(syncjob.Config{
		Store:     s.store,
		Replica:   replicaName(s.Config),
		AwaitRoom: s.sip.AwaitRoom,
		Tell: func(o syncjob.Order) {
			event := o.Job.Event
			if event == "" {
				event = s.files.SyncEvent(o.Phone, provisioner.SyncMode(o.Job.Mode))
			}
			s.sip.Notify(sip.NotifyRequest{Phone: o.Phone, Event: event, ID: o.ID, JobID: o.Job.ID, Watch: o.Watch, Done: o.Done})
		},
		InSync: func(ctx context.Context, p *models.Phone) (bool, error) {
			report, err := s.files.Report(ctx, p)
			return report.State == provisioner.StateInSync, err
		},
		Log: s.log,
	})
}
