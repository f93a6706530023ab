-- run once, by PostgreSQL's image, on an empty volume
CREATE DATABASE mlflow;
CREATE DATABASE prefect;
