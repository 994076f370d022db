# Sourced: `python DIRECTORY REQUIREMENTS` makes a virtual environment with the pinned packages.
python() {
    local environment=$1 requirements=$2
    if ! cmp -s "$requirements" "$environment/requirements.txt"; then
        python3 -m venv "$environment"
        "$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$requirements"
        cp "$requirements" "$environment/requirements.txt"
    fi
}
