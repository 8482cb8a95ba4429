{{- define "token-monitor.selector" -}}
app.kubernetes.io/name: token-monitor
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "token-monitor.metadata" -}}
metadata:
  name: {{ .Release.Name }}
  labels:
    {{- include "token-monitor.selector" . | nindent 4 }}
{{- end }}

{{/* The keys of the Secret, sorted. */}}
{{- define "token-monitor.keys" -}}
{{- if .Values.secret.values }}
{{- keys .Values.secret.values | sortAlpha | toJson }}
{{- else }}
{{- sortAlpha .Values.secret.keys | toJson }}
{{- end }}
{{- end }}
