/** The built-in dashboards as a viewer knows them: where they are, and the panels that must be there. */
export interface Dashboard {
  /** Short name, for the titles of tests and the names of screenshots. */
  name: string;
  path: string;
  /** Titles of all panels, in order. */
  panels: string[];
  /** Titles of panels that may rightly be empty: the demo has no alerts of its own. */
  mayBeEmpty: string[];
}

export const dashboards: Dashboard[] = [
  {
    name: 'overview',
    path: '/',
    panels: [
      'Active Jobs',
      'Completed Jobs (24h)',
      'Failed Jobs (24h)',
      'Job Success Rate',
      'Jobs by Provider',
      'Job Completion Rate',
      'Queue Length & Active Jobs',
      'Memory Usage',
      'Live jobs',
      'Alerts',
    ],
    mayBeEmpty: ['Alerts'],
  },
  {
    name: 'jobs',
    path: '/jobs',
    panels: [
      'Job Throughput',
      'Submitted, completed, failed by provider',
      'Job Duration Percentiles',
      'Average Duration by Provider',
      'Job Status Distribution',
      'Export Throughput',
      'Job Duration Heatmap',
      'Provider Performance Summary',
    ],
    mayBeEmpty: [],
  },
  {
    name: 'system',
    path: '/system',
    panels: [
      'Memory Usage',
      'CPU Usage',
      'CPU Usage now',
      'Goroutines',
      'Active Connections',
      'HTTP Request Rate',
      'HTTP Response Time',
      'HTTP Error Rate',
      'API Latency',
      'API Latency by Route',
      'Sources',
    ],
    mayBeEmpty: [],
  },
];
