input=$(cat)
case $input in
  *'"mood":"angry"'*) begin="We are sorry." ;;
  *) begin="Thank you." ;;
esac
case $input in
  *'"topic":"delivery"'*) rest="Your parcel is on its way." ;;
  *) rest="We will look into it." ;;
esac
printf '{"reply": "%s %s"}' "$begin" "$rest"
