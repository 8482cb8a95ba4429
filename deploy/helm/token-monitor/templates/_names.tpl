{{- define "token-monitor.selector" -}}
app.kubernetes.io/name: token-monitor
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "token-monitor.labels" -}}
{{ include "token-monitor.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{- define "token-monitor.metadata" -}}
metadata:
  name: {{ .Release.Name | quote }}
  labels:
    {{- include "token-monitor.labels" . | nindent 4 }}
{{- end }}

{{/* The same with labels of the user's, which win. What it is called with: the root, and `labels`. */}}
{{- define "token-monitor.labelled" -}}
metadata:
  name: {{ .root.Release.Name | quote }}
  labels:
    {{- merge dict .labels (include "token-monitor.labels" .root | fromYaml) | toYaml | nindent 4 }}
{{- end }}

{{/* The keys of the Secret, sorted. */}}
{{- define "token-monitor.keys" -}}
{{- if .Values.secret.values }}
{{- keys .Values.secret.values | sortAlpha | toJson }}
{{- else }}
{{- sortAlpha .Values.secret.keys | toJson }}
{{- end }}
{{- end }}
