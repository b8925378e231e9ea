package exporter

import "yativo-card-exporter/apiclient"

// advice puts into words of the environment what may mend an error of the API
// client.
func advice() map[apiclient.Hint]string {
	return map[apiclient.Hint]string{
		apiclient.HintCredentials: "check YATIVO_API_KEY and YATIVO_API_SECRET, or YATIVO_ACCESS_TOKEN",
		apiclient.HintAPIKey:      "check YATIVO_API_KEY and YATIVO_API_KEY_FILE",
		apiclient.HintAPISecret:   "check YATIVO_API_SECRET and YATIVO_API_SECRET_FILE",
		apiclient.HintAccessToken: "check YATIVO_ACCESS_TOKEN and YATIVO_ACCESS_TOKEN_FILE",
		apiclient.HintBaseURL:     "check YATIVO_BASE_URL",
		apiclient.HintScheme:      "check the scheme and port of YATIVO_BASE_URL",
		apiclient.HintHost:        "check YATIVO_BASE_URL and the DNS of this machine",
		apiclient.HintBetween:     "check YATIVO_BASE_URL and any proxy in between",
		apiclient.HintTokenPath:   "check YATIVO_TOKEN_PATH",
		apiclient.HintPaths:       "check YATIVO_BASE_URL and YATIVO_TOKEN_PATH",
		apiclient.HintTimeout:     "check YATIVO_TIMEOUT",
	}
}
